/**
 * What a tool answers: structured content, and the same as text for models that see nothing else. A refusal is a tool's error
 * with `code`, `detail`, `retryable` and `facts`, never an error of the protocol, so that the model reads it and can mend its
 * call.
 */
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { problemOf } from "../adapters/http/wire/problem.ts"
import { isRetryable } from "../machines/refusals.ts"
import { WorkflowError } from "../runtime/errors.ts"
import { ReplayContractError, ReplayKillError, ToolTimeoutError } from "../sdk/errors.ts"
import { outcomeOf } from "../sdk/tools/StepOutcome.ts"

export interface Refusal {
  readonly [member: string]: unknown
  readonly code: string
  readonly detail: string
  /** Whether the same call may succeed later as it is. */
  readonly retryable: boolean
  readonly facts: Readonly<Record<string, unknown>>
}

/** JSON Schema of a refusal, beside the answer in each tool's output schema. */
export const refusalSchema = {
  type: "object",
  description: "Why the call was refused. Nothing was done, unless the facts say so.",
  properties: {
    code: { type: "string" },
    detail: { type: "string" },
    retryable: { type: "boolean", description: "Whether the same call may succeed later as it is." },
    facts: { type: "object" },
  },
  required: ["code", "detail", "retryable", "facts"],
}

export const answered = (structured: Readonly<Record<string, unknown>>): CallToolResult => ({
  content: [{ type: "text", text: JSON.stringify(structured) }],
  structuredContent: { ...structured },
})

export const refused = (refusal: Refusal): CallToolResult => ({
  content: [{ type: "text", text: JSON.stringify(refusal) }],
  structuredContent: { ...refusal },
  isError: true,
})

/** Undefined for a bug. */
export const refusalOf = (error: unknown): Refusal | undefined => {
  const became = outcomeOf(error)
  const step =
    became === undefined ? {} : { step_id: became.stepId, outcome: became.outcome, reported: became.reported }
  if (error instanceof WorkflowError) {
    const { type: _type, title: _title, status: _status, code, detail, retryable, ...facts } = problemOf(error)
    return { code, detail, retryable, facts: { ...facts, ...step } }
  }
  if (error instanceof ReplayContractError) {
    const [first] = error.failures
    return refusal(first.code, error.message, false, { failures: error.failures, ...step })
  }
  if (error instanceof ReplayKillError) {
    const { workflowId, sessionId, killId, reason } = error
    const facts = { workflow_id: workflowId, session_id: sessionId, kill_id: killId, reason, ...step }
    return refusal("session_killed", error.message, isRetryable("session_killed"), facts)
  }
  if (error instanceof ToolTimeoutError)
    return refusal("tool_timeout", error.message, false, { tool: error.tool, total_ms: error.totalMs, ...step })
  return undefined
}

export const refusal = (code: string, detail: string, retryable: boolean, facts: Refusal["facts"] = {}): Refusal => ({
  code,
  detail,
  retryable,
  facts,
})

/** What is said of a bug: nothing of its inside. */
export const bug = refusal("internal", "The call failed. It is a bug in Handrail; the log has more.", false)
