/** Refusals as people read them: one line with the code, and what to do about it. Loaded when there is one. */
import { KeysRequired, ListenFailed } from "../adapters/http/server/nodeServer.ts"
import { type Code, codes } from "../machines/refusals.ts"
import { WorkflowError } from "../runtime/errors.ts"
import { StorageCorrupt, StorageUnavailable } from "../runtime/Journal.ts"
import { printable } from "./Terminal.ts"

export interface Refusal {
  readonly code: string
  readonly detail: string
  /** What to do about it, where the detail does not say. */
  readonly mend?: string | undefined
  readonly facts?: Readonly<Record<string, unknown>>
}

/** Undefined for what is none: a bug. */
export const refusalOf = (error: unknown): Refusal | undefined => {
  if (error instanceof WorkflowError && error.code !== "internal")
    return { code: error.code, detail: detailOf(error), mend: mends[error.code], facts: error.facts }
  if (error instanceof StorageUnavailable)
    return { code: "storage_unavailable", detail: error.detail, mend: mends.storage_unavailable }
  if (error instanceof StorageCorrupt)
    return { code: "storage_corrupt", detail: error.detail, mend: mends.storage_corrupt }
  if (error instanceof KeysRequired)
    return {
      code: "keys_required",
      detail: error.message,
      mend: "handrail keys create NAME --scopes agent,read --store … makes one.",
    }
  if (error instanceof ListenFailed)
    return {
      code: "listen_failed",
      detail: error.message,
      mend: error.reason === "EADDRINUSE" ? "Choose another with --port; 0 takes a free one." : undefined,
    }
  return undefined
}

export const refusalText = ({ code, detail, mend }: Refusal): string =>
  `handrail: ${code}: ${oneLine(detail)}${mend === undefined ? "" : ` ${oneLine(mend)}`}`

export const refusalJson = ({ code, detail, mend, facts }: Refusal): string =>
  JSON.stringify({
    error: { code, detail, ...(mend === undefined ? {} : { mend }), retryable: retryable(code), facts: facts ?? {} },
  })

const retryable = (code: string): boolean => isCode(code) && codes[code].retryable
const isCode = (code: string): code is Code => Object.hasOwn(codes, code)

const oneLine = (text: string): string => {
  const line = printable(text.trim().replace(/\s*\n\s*/g, " / "))
  return /[.!?…]$/.test(line) ? line : `${line}.`
}

/** With what is wrong in the request, which the detail does not repeat. */
const detailOf = ({ detail, facts }: WorkflowError): string => {
  if (!Array.isArray(facts.errors)) return detail
  const wrong = facts.errors.flatMap((error: unknown) =>
    typeof error === "object" && error !== null && "path" in error && "message" in error
      ? [`${String(error.path)}: ${String(error.message)}`]
      : [],
  )
  return wrong.length === 0 ? detail : `${detail.replace(/[.]$/, "")} (${wrong.join("; ")}).`
}

const mends: { readonly [C in Code]?: string } = {
  unauthenticated: "Set HANDRAIL_API_KEY, or give --api-key-file.",
  forbidden: "The key needs another scope: handrail keys create --scopes operator,read makes one that has it.",
  workflow_not_found: "handrail workflows list shows those that there are; --tenant chooses whose.",
  handoff_not_found: "handrail workflows show WORKFLOW lists its handoffs.",
  session_not_found: "handrail workflows show WORKFLOW lists its sessions.",
  step_not_found: "handrail workflows show WORKFLOW lists its unresolved steps.",
  rate_limited: "Try again in a moment.",
  overloaded: "Try again in a moment.",
  storage_unavailable: "handrail doctor looks further into it.",
  storage_corrupt: "handrail verify says what does not hold; restore the store from a backup.",
}
