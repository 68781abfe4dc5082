/** `handrail approvals approve WORKFLOW STEP`. */
import { approvalArguments, approvalOptions } from "../approvalTarget.ts"
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"

export const approvalsApprove: CommandSpec = {
  name: "approvals approve",
  summary: "let a step that awaits approval run",
  about: [
    "It is admitted as soon as it heads the queues of its resources, and its agent then runs the tool. Your name and your " +
      "reason are in the journal. A decision is final: to stop the step afterwards, kill its session.",
  ],
  arguments: approvalArguments,
  options: approvalOptions,
  examples: [
    { command: "handrail approvals approve deploy-7 st_1", what: "it may run" },
    { command: 'handrail approvals approve deploy-7 st_1 --reason "change 42 was reviewed"', what: "with the reason" },
  ],
  exits: [
    [exitCodes.ok, "approved, or it was approved before"],
    [exitCodes.found, "refused: there is no such step, or it does not await approval"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { approvalInput, showDecision } = await import("../approvalTarget.ts")
    const { actingOptions, withClient } = await import("../target.ts")
    const step = await withClient(input, terminal, (client) =>
      client.approveStep(approvalInput(input), actingOptions(input)),
    )
    return showDecision(step, input, terminal)
  },
}
