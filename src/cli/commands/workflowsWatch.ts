/**
 * `handrail workflows watch WORKFLOW`: the living tree on a terminal, drawn anew when something happens; on a pipe a line an
 * event.
 */
import type { Client, WorkflowView } from "../../runtime/Client.ts"
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Terminal } from "../Terminal.ts"
import { targetOptions } from "../target.ts"

export const workflowsWatch: CommandSpec = {
  name: "workflows watch",
  summary: "watch one workflow live, as a tree",
  about: [
    "On a terminal the tree of sessions and handoffs is drawn anew whenever something happens; on a pipe there is a line for " +
      "every event. It ends with the workflow, once nothing of it is unresolved, or with Ctrl-C.",
  ],
  arguments: [{ name: "WORKFLOW", describe: "the id of a workflow", required: true }],
  options: {
    ...targetOptions,
    json: { kind: "flag", describe: "print every event as a line of JSON" },
  },
  examples: [
    { command: "handrail workflows watch pr-42", what: "until it ends" },
    { command: "handrail workflows watch pr-42 | tee pr-42.log", what: "a line an event" },
  ],
  exits: [
    [exitCodes.ok, "the workflow has ended, or you have seen enough (Ctrl-C)"],
    [exitCodes.found, "there is no such workflow, or the server or store does not answer"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { withClient } = await import("../target.ts")
    const { stopSignal } = await import("../signals.ts")
    const { signal, release } = stopSignal(() => process.exit(exitCodes.ok))
    try {
      return await withClient(input, terminal, async (client) => {
        const view = await client.getWorkflow(input.arg(0))
        if (terminal.isTerminal && !input.flag("json")) await drawTree(client, view, terminal, signal)
        else await printEvents(client, view, terminal, { signal, isJson: input.flag("json") })
        return exitCodes.ok
      })
    } finally {
      release()
    }
  },
}

const isOver = ({ status, fencedKills }: WorkflowView): boolean => status !== "active" && fencedKills.length === 0

const printEvents = async (
  client: Client,
  view: WorkflowView,
  terminal: Terminal,
  { signal, isJson }: { readonly signal: AbortSignal; readonly isJson: boolean },
): Promise<void> => {
  const { workflowId } = view
  const { eventPrinter } = await import("../eventPrinter.ts")
  const { endsWorkflow } = await import("../eventText.ts")
  const print = await eventPrinter(terminal, isJson)
  let hasEnded = false
  for await (const event of client.events({ workflowId, after: 0, signal })) {
    print(event)
    hasEnded ||= endsWorkflow(event)
    // What is still unresolved goes on after the end.
    if (hasEnded && event.seq >= view.seq && isOver(await client.getWorkflow(workflowId))) return
  }
}

const drawTree = async (
  client: Client,
  first: WorkflowView,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> => {
  const { workflowLines } = await import("../workflowText.ts")
  const { Screen } = await import("../Screen.ts")
  const { workflowId } = first
  const screen = new Screen(terminal)
  const draw = (view: WorkflowView): void => screen.draw(workflowLines(view, Date.now(), terminal))
  let latest = first
  screen.open()
  // Ages and leases go on while nothing happens.
  const clock = setInterval(() => draw(latest), 1000)
  try {
    draw(latest)
    if (isOver(latest)) return
    for await (const event of client.events({ workflowId, after: latest.seq, signal })) {
      // A burst is asked about once: what was seen with the event before may cover this one.
      if (event.seq <= latest.seq) continue
      latest = await client.getWorkflow(workflowId)
      draw(latest)
      if (isOver(latest)) return
    }
  } finally {
    clearInterval(clock)
    screen.close()
    // What was last seen stays on the terminal.
    terminal.print(workflowLines(latest, Date.now(), terminal).join("\n"))
  }
}
