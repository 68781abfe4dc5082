/** Ids that were typed, checked before anything is opened. */
import { Schema } from "effect"
import { Tenant, WorkflowId } from "../machines/ids.ts"
import { UsageError } from "./Command.ts"
import type { Input } from "./Input.ts"

const isTenant = Schema.is(Tenant)
const isWorkflowId = Schema.is(WorkflowId)

export const tenantOf = (input: Input): Tenant => {
  const text = input.text("tenant") ?? "default"
  if (!isTenant(text)) throw new UsageError(`--tenant ${JSON.stringify(text)} is not an id`)
  return text
}

export const workflowIdOf = (text: string): WorkflowId => {
  if (!isWorkflowId(text)) throw new UsageError(`${JSON.stringify(text)} is not the id of a workflow`)
  return text
}
