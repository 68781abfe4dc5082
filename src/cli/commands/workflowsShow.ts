/** `handrail workflows show WORKFLOW`: its tree, what is held, what is left to spend, and every unresolved step. */
import type { UnresolvedStep } from "../../machines/answers.ts"
import type { Client, WorkflowView } from "../../runtime/Client.ts"
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Terminal } from "../Terminal.ts"
import { targetOptions } from "../target.ts"

/** Sessions that are asked for their steps: each is a question of its own. */
const askedSessions = 100

export const workflowsShow: CommandSpec = {
  name: "workflows show",
  summary: "show one workflow: its tree, what it holds, what is left to spend",
  about: [
    "Everything open, and of what has ended the latest 1,000 sessions and handoffs. Steps that are not resolved are " +
      "listed with their ids, for handrail resolve.",
  ],
  arguments: [{ name: "WORKFLOW", describe: "the id of a workflow", required: true }],
  options: { ...targetOptions, json: { kind: "flag", describe: "print it as JSON" } },
  examples: [
    { command: "handrail workflows show pr-42", what: "for a person" },
    { command: "handrail workflows show pr-42 --json | jq .ledger.cost", what: "in a script" },
  ],
  exits: [
    [exitCodes.ok, "shown"],
    [exitCodes.found, "there is no such workflow, or the server or store does not answer"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { withClient } = await import("../target.ts")
    const isJson = input.flag("json")
    const { view, steps } = await withClient(input, terminal, async (client) => {
      const view = await client.getWorkflow(input.arg(0))
      return { view, steps: isJson ? [] : await unresolved(client, view) }
    })
    if (isJson) {
      const { workflowJson } = await import("../json.ts")
      terminal.print(JSON.stringify(workflowJson(view), null, 2))
      return exitCodes.ok
    }
    const { workflowLines } = await import("../workflowText.ts")
    terminal.print(workflowLines(view, Date.now(), terminal).join("\n"))
    await showSteps(steps, terminal)
    return exitCodes.ok
  },
}

type Step = Pick<UnresolvedStep, "stepId" | "tool" | "resources"> & {
  readonly sessionId: string
  readonly status: string
}

/** Of living sessions from them; of dead ones from the kills that orphaned them, where the resources still name them. */
const unresolved = async (client: Client, view: WorkflowView): Promise<ReadonlyArray<Step>> => {
  const { workflowId } = view
  const steps: Array<Step> = []
  const living = view.sessions.filter(({ status }) => status === "active").slice(0, askedSessions)
  for (const { sessionId } of living) {
    const session = await client.getSession(sessionId, { workflowId })
    for (const step of session.steps)
      steps.push({ ...step, sessionId, status: step.unknown ? "admitted, outcome unknown" : step.status })
  }
  for (const { killId } of view.fencedKills) {
    const { orphanedSteps } = await client.getKill(workflowId, killId)
    const held = new Set(view.resources.flatMap((resource) => resource.steps.map(({ stepId }) => stepId)))
    for (const step of orphanedSteps)
      if (step.resources.length === 0 || held.has(step.stepId)) steps.push({ ...step, status: "orphaned" })
  }
  return steps
}

const showSteps = async (steps: ReadonlyArray<Step>, terminal: Terminal): Promise<void> => {
  if (steps.length === 0) return
  const { table } = await import("../table.ts")
  const { paintStatus } = await import("../workflowText.ts")
  const titles = ["STEP", "TOOL", "STATUS", "SESSION", "RESOURCES"].map((title) => ({ title }))
  const rows = steps.map(({ stepId, tool, status, sessionId, resources }) => [
    stepId,
    tool,
    paintStatus(status, terminal),
    sessionId,
    resources.map(({ name, key }) => `${name} ${key}`).join(", "),
  ])
  terminal.print(`\n${terminal.paint("bold", "Unresolved steps")}\n${table(titles, rows, terminal)}`)
}
