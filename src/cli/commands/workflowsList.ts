/** `handrail workflows list`: workflows, newest first. */
import type { WorkflowRow } from "../../machines/projection.ts"
import type { Client, ListWorkflows } from "../../runtime/Client.ts"
import { type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Input } from "../Input.ts"
import type { Terminal } from "../Terminal.ts"
import { targetOptions } from "../target.ts"

const statuses = ["active", "completed", "failed", "killed"] as const
const defaultLimit = 50
const mostRows = 100_000
const pageRows = 1000

export const workflowsList: CommandSpec = {
  name: "workflows list",
  summary: "list workflows, newest first",
  about: [],
  arguments: [],
  options: {
    status: {
      kind: "text",
      value: "STATUS",
      describe: `only those that are ${statuses.join(", ")}`,
      choices: statuses,
    },
    role: { kind: "text", value: "ROLE", describe: "only those with a session in this role" },
    limit: { kind: "count", value: "N", describe: `how many at most (default ${defaultLimit})` },
    ...targetOptions,
    json: { kind: "flag", describe: "print them as JSON" },
  },
  examples: [
    { command: "handrail workflows list --status active", what: "what is going on" },
    { command: "handrail workflows list --json | jq -r '.items[].workflow_id'", what: "in a script" },
  ],
  exits: [
    [exitCodes.ok, "listed, also where there is none"],
    [exitCodes.found, "refused, or the server or store does not answer"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const limit = input.count("limit") ?? defaultLimit
    if (limit < 1 || limit > mostRows) throw new UsageError(`--limit is 1 to ${mostRows}, not ${limit}`)
    const query = queryOf(input)
    const { withClient } = await import("../target.ts")
    const { items, more } = await withClient(input, terminal, (client) => gather(client, query, limit))
    if (input.flag("json")) {
      const { workflowsJson } = await import("../json.ts")
      terminal.print(JSON.stringify({ items: workflowsJson({ items, cursor: null }).items, more }, null, 2))
    } else if (items.length === 0) terminal.tell("There is no such workflow.")
    else {
      await show(items, terminal)
      if (more) terminal.tell(`There are more than ${limit}: --limit shows them.`)
    }
    return exitCodes.ok
  },
}

const queryOf = (input: Input): ListWorkflows => {
  const status = input.choice("status", statuses)
  const role = input.text("role")
  return { ...(status === undefined ? {} : { status }), ...(role === undefined ? {} : { role }) }
}

const gather = async (client: Client, query: ListWorkflows, limit: number) => {
  const items: Array<WorkflowRow> = []
  let cursor: string | null = null
  do {
    const size = Math.min(pageRows, limit - items.length)
    const page = await client.listWorkflows({ ...query, limit: size, ...(cursor === null ? {} : { cursor }) })
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== null && items.length < limit)
  return { items, more: cursor !== null }
}

const show = async (rows: ReadonlyArray<WorkflowRow>, terminal: Terminal): Promise<void> => {
  const { table } = await import("../table.ts")
  const { momentText, relative } = await import("../times.ts")
  const { paintStatus } = await import("../workflowText.ts")
  const now = Date.now()
  const titles = ["WORKFLOW", "DEFINITION", "STATUS", "ROOT", "CREATED", "ENDED"].map((title) => ({ title }))
  terminal.print(
    table(
      titles,
      rows.map(({ workflowId, workflow, status, rootRole, createdAt, endedAt }) => [
        workflowId,
        workflow,
        paintStatus(status, terminal),
        rootRole,
        momentText(createdAt),
        endedAt === null ? "" : relative(endedAt, now),
      ]),
      terminal,
    ),
  )
}
