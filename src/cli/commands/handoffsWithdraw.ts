/** `handrail handoffs withdraw WORKFLOW HANDOFF`. */
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { aboutHandoffOptions, handoffArguments } from "../handoffTarget.ts"

export const handoffsWithdraw: CommandSpec = {
  name: "handoffs withdraw",
  summary: "withdraw an offer that nobody has claimed",
  about: [
    "The handoff ends as withdrawn. One that was claimed can be reclaimed as long as its claimant has made no progress.",
  ],
  arguments: handoffArguments,
  options: aboutHandoffOptions,
  examples: [
    { command: "handrail handoffs withdraw pr-42 scan-2", what: "it is not needed any more" },
    {
      command: 'handrail handoffs withdraw pr-42 scan-1 --generation 2 --reason "stuck"',
      what: "only if it is still this try",
    },
  ],
  exits: [
    [exitCodes.ok, "withdrawn"],
    [exitCodes.found, "refused: its status, or its generation, is another"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { handoffInput, showHandoff } = await import("../handoffTarget.ts")
    const { actingOptions, withClient } = await import("../target.ts")
    const changed = await withClient(input, terminal, (client) =>
      client.withdraw(handoffInput(input), actingOptions(input)),
    )
    return showHandoff(changed, input, terminal)
  },
}
