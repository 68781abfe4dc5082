/**
 * Refusals and errors: every code that a caller can see, in one table.
 *
 * A refusal by the workflow's rules is an ordinary answer of `decide`: it changes nothing, is not an event, and carries the
 * facts that explain it (semantics.md §3 to §9). `retryable` is true only where the same request may succeed later
 * unchanged. The HTTP status is the one of wire.md.
 */
import { Schema } from "effect"
import type { Fence, Json } from "./ids.ts"

interface Entry {
  readonly status: number
  readonly retryable: boolean
  readonly title: string
}
const rule = (title: string, retryable = false): Entry => ({ status: 409, retryable, title })
const request = (status: number, title: string, retryable = false): Entry => ({ status, retryable, title })

export const codes = {
  // By the workflow's rules.
  workflow_exists: rule("A workflow of this id exists with another definition or root session"),
  workflow_killed: rule("The workflow was killed"),
  workflow_not_active: rule("The workflow has ended"),
  session_exists: rule("A session of this id exists"),
  session_killed: rule("The session was killed"),
  session_not_active: rule("The session has ended"),
  role_not_root: rule("The role can't be the root of this workflow"),
  handoff_not_permitted: rule("The definition has no such edge"),
  handoff_exists: rule("A handoff of this id exists with other content"),
  handoff_already_claimed: rule("Another session claimed the handoff"),
  handoff_closed: rule("The handoff has ended"),
  handoff_in_progress: rule("The claimant has made progress"),
  handoff_not_claimed: rule("Nobody has claimed the handoff"),
  handoff_not_in_progress: rule("The claimant has made no progress yet", true),
  handoffs_open: rule("A handoff that the session offered is open", true),
  descendants_active: rule("A descendant of the session is active", true),
  invalid_summary: rule("The summary does not fit the schema of its edge"),
  role_mismatch: rule("The handoff is for another role"),
  parent_mismatch: rule("The handoff was offered by another session"),
  stale_generation: rule("The handoff has another generation"),
  limit_exceeded: rule("A limit has no room", true),
  limits_only_raise: rule("Limits can only be raised"),
  cost_unknown: rule("The call has no cost estimate and a cost limit is set"),
  resource_unknown: rule("The definition declares no such resource"),
  resource_pending: rule("An unresolved step holds the resource", true),
  resource_owned: rule("Another session owns the resource", true),
  resource_busy: rule("Earlier steps on the resource are unresolved", true),
  resource_not_owned: rule("The session does not own the resource"),
  steps_unresolved: rule("The session has unresolved steps", true),
  step_queued: rule("The step is queued and can only be aborted"),
  step_awaiting_approval: rule("The step awaits approval and can only be aborted"),
  step_not_awaiting_approval: rule("The step does not await approval"),
  step_already_resolved: rule("The step was resolved with another outcome"),
  stale_fence: rule("A newer fencing token was granted"),
  prepared_request_invalid: rule("The prepared request is unknown, used or expired"),
  // By the request itself.
  invalid_request: request(400, "The request is not valid"),
  invalid_definition: request(400, "The definition does not compile"),
  unauthenticated: request(401, "No valid key"),
  forbidden: request(403, "Not permitted"),
  workflow_not_found: request(404, "No such workflow"),
  session_not_found: request(404, "No such session"),
  handoff_not_found: request(404, "No such handoff"),
  step_not_found: request(404, "No such step"),
  version_mismatch: request(412, "The session has moved on"),
  payload_too_large: request(413, "The request is too large"),
  idempotency_mismatch: request(422, "The idempotency key was used for another request"),
  rate_limited: request(429, "Too many requests", true),
  overloaded: request(503, "Too much work is waiting", true),
  storage_unavailable: request(503, "The store did not answer", true),
  storage_corrupt: request(500, "The store holds something that was never written by this version"),
  internal: request(500, "A bug in Handrail"),
  closed: request(503, "The runtime is closed"),
} as const satisfies Record<string, Entry>

export type Code = keyof typeof codes
export const Code = Schema.Literals(Object.keys(codes) as [Code, ...Array<Code>])

export const isRetryable = (code: Code): boolean => codes[code].retryable
export const httpStatus = (code: Code): number => codes[code].status

/** What a refusal tells beside its code; every member is JSON. */
export interface Facts {
  readonly [name: string]: Json | ReadonlyArray<Fence> | undefined
}

/** The answer of `decide` to a command that it does not carry out. `detail` says what was wrong and how to mend it. */
export interface Refusal {
  readonly code: Code
  readonly detail: string
  readonly facts: Facts
}

export const refuse = (code: Code, detail: string, facts: Facts = {}): Refusal => ({ code, detail, facts })
