/** `handrail verify`: the hash chains of a store, and that everything that it lists follows from its events. */
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { storeOptions } from "../store.ts"
import type { Terminal } from "../Terminal.ts"
import type { StoreReport } from "../verifyStore.ts"

/** Problems that are printed: a damaged file has as many as it has rows. */
const mostProblems = 1000

export const verify: CommandSpec = {
  name: "verify",
  summary: "verify the hash chains of a store and all that follows from them",
  about: [
    "Walks every journal from its first event: no gap, every hash on the one before, every event folds. Then the rows " +
      "of workflows, sessions and handoffs, and the snapshots, are compared with what was folded. It needs no server, " +
      "and may run beside one. Of a Postgres store it takes the tenants default and those with a key; --tenant names another.",
  ],
  arguments: [{ name: "WORKFLOW", describe: "only this workflow (of --tenant, default: default)", required: false }],
  options: {
    tenant: { kind: "text", value: "ID", describe: "only this tenant (default: all)" },
    ...storeOptions,
    json: { kind: "flag", describe: "print the result as JSON" },
  },
  examples: [
    { command: "handrail verify --store sqlite:./handrail.db", what: "everything in a file" },
    { command: "handrail verify pr-42", what: "one workflow" },
    { command: "handrail verify --json | jq '.problems[]'", what: "for another program" },
  ],
  exits: [
    [exitCodes.ok, "everything holds"],
    [exitCodes.found, "something does not: it is listed; or the store can't be read at all"],
    [exitCodes.usage, "wrong usage, or there is no such store"],
  ],
  run: async (input, terminal) => {
    const { chosenStore } = await import("../store.ts")
    const choice = chosenStore(input, terminal)
    const { tenantOf, workflowIdOf } = await import("../ids.ts")
    const { verifyStore } = await import("../verifyStore.ts")
    const [id] = input.args
    const workflowId = id === undefined ? undefined : workflowIdOf(id)
    const tenant = input.flag("tenant") || workflowId !== undefined ? tenantOf(input) : undefined
    const report = await verifyStore(choice, { tenant, workflowId })
    if (input.flag("json")) terminal.print(JSON.stringify(jsonOf(report), null, 2))
    else await show(report, terminal)
    return report.problems.length === 0 ? exitCodes.ok : exitCodes.found
  },
}

const jsonOf = ({ workflows, events, problems }: StoreReport) => ({
  ok: problems.length === 0,
  workflows,
  events,
  problems: problems
    .slice(0, mostProblems)
    .map(({ tenant, workflowId, seq, problem }) => ({ tenant, workflow_id: workflowId, seq, problem })),
})

const show = async ({ workflows, events, problems }: StoreReport, terminal: Terminal): Promise<void> => {
  const size = `${things(workflows, "workflow")}, ${things(events, "event")}`
  if (problems.length === 0) {
    terminal.print(`${terminal.paint("green", "ok")} ${size}: everything holds.`)
    return
  }
  const { cell, table } = await import("../table.ts")
  const titles = [
    { title: "TENANT" },
    { title: "WORKFLOW" },
    { title: "EVENT", align: "right" as const },
    { title: "PROBLEM" },
  ]
  const rows = problems
    .slice(0, mostProblems)
    .map(({ tenant, workflowId, seq, problem }) => [
      tenant,
      workflowId,
      seq === null ? "" : String(seq),
      cell(problem, 200),
    ])
  terminal.print(table(titles, rows, terminal))
  terminal.print(`${terminal.paint("red", things(problems.length, "problem"))} in ${size}.`)
}

const things = (count: number, noun: string): string =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`
