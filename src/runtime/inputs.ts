/** The small inputs that every client takes beside a command, checked: ids, places, keys, sizes of pages. */
import { Schema } from "effect"
import { WorkflowId } from "../machines/ids.ts"
import type { CallOptions } from "./Client.ts"
import { fail, type WorkflowError } from "./errors.ts"
import { limits } from "./limits.ts"

const isWorkflowId = Schema.is(WorkflowId)

export const badId = (name: string, value: unknown): WorkflowError =>
  fail(
    "invalid_request",
    `${name} ${typeof value === "string" ? JSON.stringify(value.slice(0, 200)) : typeof value} is not an id.`,
    {
      errors: [{ path: name, message: "Expected 1 to 128 characters of A-Z a-z 0-9 _ . : -" }],
    },
  )

export const workflowIdOf = (value: string): WorkflowId => {
  if (!isWorkflowId(value)) throw badId("workflowId", value)
  return value
}

/** The sequence after which a reader begins. */
export const placeOf = (after: number | undefined): number => {
  if (after === undefined) return 0
  if (!Number.isSafeInteger(after) || after < 0)
    throw fail("invalid_request", "after is the sequence of an event, or 0.", {
      errors: [{ path: "after", message: "Expected an integer of 0 or more" }],
    })
  return after
}

export const keyOf = (options: CallOptions | undefined): string | undefined => {
  const key = options?.idempotencyKey
  if (key !== undefined && (typeof key !== "string" || key.length < 1 || key.length > 255))
    throw fail("invalid_request", "An idempotency key has 1 to 255 characters.", {
      errors: [{ path: "idempotencyKey", message: "Expected 1 to 255 characters" }],
    })
  return key
}

export const pageSize = (limit: number | undefined): number => {
  if (limit === undefined) return 100
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.page)
    throw fail("invalid_request", `limit is an integer of 1 to ${limits.page}.`, {
      errors: [{ path: "limit", message: `Expected an integer of 1 to ${limits.page}` }],
    })
  return limit
}
