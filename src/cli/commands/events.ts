/** `handrail events WORKFLOW`: the journal of a workflow, a line an event; with --follow as it grows. */
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { targetOptions } from "../target.ts"

export const events: CommandSpec = {
  name: "events",
  summary: "print the events of a workflow, and follow them",
  about: [
    "Events come in order and without a gap, from the one after --after to the last one that was written; --follow " +
      "then waits for more, without end, until Ctrl-C. To go on later, give the last number that you have seen as --after.",
  ],
  arguments: [{ name: "WORKFLOW", describe: "the id of a workflow", required: true }],
  options: {
    after: { kind: "count", value: "SEQ", describe: "begin after this event (default 0: at the beginning)" },
    follow: { kind: "flag", short: "f", describe: "wait for more" },
    ...targetOptions,
    json: { kind: "flag", describe: "print a line of JSON for each" },
  },
  examples: [
    { command: "handrail events pr-42", what: "what has happened" },
    { command: "handrail events pr-42 --after 120 -f", what: "and what happens from there on" },
    { command: "handrail events pr-42 --json | jq -c 'select(.type == \"killed\")'", what: "for another program" },
  ],
  exits: [
    [exitCodes.ok, "printed, or you have seen enough (Ctrl-C)"],
    [exitCodes.found, "there is no such workflow, or the server or store does not answer"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { withClient } = await import("../target.ts")
    const { stopSignal } = await import("../signals.ts")
    const { eventPrinter } = await import("../eventPrinter.ts")
    const workflowId = input.arg(0)
    const after = input.count("after") ?? 0
    const { signal, release } = stopSignal(() => process.exit(exitCodes.ok))
    try {
      return await withClient(input, terminal, async (client) => {
        const { seq } = await client.getWorkflow(workflowId)
        const last = input.flag("follow") ? Number.POSITIVE_INFINITY : seq
        const print = await eventPrinter(terminal, input.flag("json"))
        if (after >= last) return exitCodes.ok
        for await (const event of client.events({ workflowId, after, signal })) {
          print(event)
          if (event.seq >= last) break
        }
        return exitCodes.ok
      })
    } finally {
      release()
    }
  },
}
