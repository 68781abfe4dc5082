/** `handrail approvals list [WORKFLOW]`: the steps that wait for a person, of one workflow or of all that are active. */
import type { PendingApproval } from "../../machines/views.ts"
import type { Client } from "../../runtime/Client.ts"
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { targetOptions } from "../target.ts"

/** Active workflows that are asked without a WORKFLOW, the newest first: each is a question of its own. */
const askedWorkflows = 500

export const approvalsList: CommandSpec = {
  name: "approvals list",
  summary: "list the steps that await approval",
  about: [
    "A call of a tool whose contract says checkpoint waits here for handrail approvals approve or reject, with its " +
      "arguments, and is rejected when its time is up.",
    `Without WORKFLOW, the newest ${askedWorkflows} active workflows are asked.`,
  ],
  arguments: [{ name: "WORKFLOW", describe: "the id of a workflow (default: all that are active)", required: false }],
  options: { ...targetOptions, json: { kind: "flag", describe: "print them as JSON" } },
  examples: [
    { command: "handrail approvals list", what: "what waits for somebody" },
    { command: "handrail approvals list deploy-7 --json | jq -r '.items[].step_id'", what: "in a script" },
  ],
  exits: [
    [exitCodes.ok, "listed, also where there is none"],
    [exitCodes.found, "there is no such workflow, or the server or store does not answer"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { withClient } = await import("../target.ts")
    const named = input.args[0]
    const { items, more } = await withClient(input, terminal, (client) =>
      named === undefined ? ofAll(client) : ofOne(client, named),
    )
    if (input.flag("json")) {
      const { approvalJson } = await import("../json.ts")
      const shown = items.map(({ workflowId, ...one }) => ({ workflow_id: workflowId, ...approvalJson(one) }))
      terminal.print(JSON.stringify({ items: shown, more }, null, 2))
    } else if (items.length === 0) terminal.tell("Nothing awaits approval.")
    else {
      const { approvalsTable } = await import("../approvalsText.ts")
      terminal.print(approvalsTable(items, Date.now(), terminal))
    }
    if (more) terminal.tell(`Only the newest ${askedWorkflows} active workflows were asked: name another.`)
    return exitCodes.ok
  },
}

interface Found {
  readonly items: ReadonlyArray<PendingApproval & { readonly workflowId: string }>
  /** Whether there are active workflows that were not asked. */
  readonly more: boolean
}

const ofOne = async (client: Client, workflowId: string): Promise<Found> => {
  const { approvals } = await client.getWorkflow(workflowId)
  return { items: approvals.map((one) => ({ ...one, workflowId })), more: false }
}

const ofAll = async (client: Client): Promise<Found> => {
  const page = await client.listWorkflows({ status: "active", limit: askedWorkflows })
  const found: Array<Found["items"][number]> = []
  for (const { workflowId } of page.items) found.push(...(await ofOne(client, workflowId)).items)
  return { items: found, more: page.cursor !== null }
}
