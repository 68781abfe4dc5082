/** Steps that await approval, for the person who is asked: one row each, with nothing in it that drives a terminal. */
import type { PendingApproval } from "../machines/views.ts"
import type { Terminal } from "./Terminal.ts"
import { cell, table } from "./table.ts"
import { relative } from "./times.ts"

type Pending = PendingApproval & { readonly workflowId?: string }

const titles = ["STEP", "TOOL", "ARGUMENTS", "RESOURCES", "ROLE", "SESSION", "REJECTED"].map((title) => ({ title }))

/** Empty without rows. A column for the workflow where rows name one. `now` is epoch ms. */
export const approvalsTable = (pending: ReadonlyArray<Pending>, now: number, terminal: Terminal): string => {
  if (pending.length === 0) return ""
  const named = pending.some(({ workflowId }) => workflowId !== undefined)
  const rows = pending.map((one) => [
    ...(named ? [one.workflowId ?? ""] : []),
    one.stepId,
    cell(one.tool),
    cell(JSON.stringify(one.arguments)),
    one.resources.map(({ name, key }) => `${name} ${key}`).join(", "),
    one.role,
    one.sessionId,
    relative(one.approvalDeadline, now),
  ])
  return table(named ? [{ title: "WORKFLOW" }, ...titles] : titles, rows, terminal)
}
