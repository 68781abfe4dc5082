/** `handrail handoffs reclaim WORKFLOW HANDOFF`. */
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { aboutHandoffOptions, handoffArguments } from "../handoffTarget.ts"

export const handoffsReclaim: CommandSpec = {
  name: "handoffs reclaim",
  summary: "take a claimed handoff back from its claimant",
  about: [
    "The claimant and all its descendants are killed, and the handoff is offered again as its next generation; after " +
      "the last of max_attempts it has failed. One that has made progress can not be taken back: kill its session.",
  ],
  arguments: handoffArguments,
  options: aboutHandoffOptions,
  examples: [
    {
      command: "handrail handoffs reclaim pr-42 scan-1",
      what: "its agent is gone, and nobody wants to wait for the lease",
    },
    {
      command: 'handrail handoffs reclaim pr-42 scan-1 --generation 2 --reason "stuck"',
      what: "only if it is still this try",
    },
  ],
  exits: [
    [exitCodes.ok, "taken back"],
    [exitCodes.found, "refused: its status, or its generation, is another"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { handoffInput, showHandoff } = await import("../handoffTarget.ts")
    const { actingOptions, withClient } = await import("../target.ts")
    const changed = await withClient(input, terminal, (client) =>
      client.reclaim(handoffInput(input), actingOptions(input)),
    )
    return showHandoff(changed, input, terminal)
  },
}
