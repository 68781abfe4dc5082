/** `handrail approvals reject WORKFLOW STEP`. */
import { approvalArguments, approvalOptions } from "../approvalTarget.ts"
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"

export const approvalsReject: CommandSpec = {
  name: "approvals reject",
  summary: "abort a step that awaits approval",
  about: [
    "Nothing of it has run and nothing will: what it reserved and held is free, and its agent is told. Your name and your " +
      "reason are in the journal. A step on which nobody decides is rejected when its time is up.",
  ],
  arguments: approvalArguments,
  options: approvalOptions,
  examples: [
    { command: "handrail approvals reject deploy-7 st_1", what: "it may not run" },
    {
      command: 'handrail approvals reject deploy-7 st_1 --reason "not before the freeze ends"',
      what: "with the reason",
    },
  ],
  exits: [
    [exitCodes.ok, "rejected, or it was aborted before"],
    [exitCodes.found, "refused: there is no such step, or it does not await approval"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { approvalInput, showDecision } = await import("../approvalTarget.ts")
    const { actingOptions, withClient } = await import("../target.ts")
    const step = await withClient(input, terminal, (client) =>
      client.rejectStep(approvalInput(input), actingOptions(input)),
    )
    return showDecision(step, input, terminal)
  },
}
