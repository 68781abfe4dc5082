/** Rows as the tables give them, and as the port wants them: what is JSON in a column is parsed, or reported as damaged. */
import type { KillReceipt } from "../../machines/answers.ts"
import type { AnswerRow, HandoffRow } from "../../machines/projection.ts"
import { StorageCorrupt } from "../../runtime/Journal.ts"

type Columns<A, JsonKeys extends keyof A> = Omit<A, JsonKeys> & { readonly [K in JsonKeys]: string }
export type HandoffColumns = Columns<HandoffRow, "summary" | "artifacts" | "resources" | "result" | "resultArtifacts">
export type AnswerColumns = Columns<AnswerRow, "answer">
export interface KillColumns {
  readonly state: KillReceipt["state"]
  readonly receipt: string
}

const parse = <A>(text: string, workflowId: string, what: string): A => {
  try {
    return JSON.parse(text) as A
  } catch {
    throw new StorageCorrupt({ detail: `${what} does not parse`, workflowId })
  }
}

export const toHandoff = (row: HandoffColumns): HandoffRow => {
  const json = <A>(text: string): A => parse(text, row.workflowId, `a column of handoff ${row.handoffId}`)
  return {
    ...row,
    summary: json(row.summary),
    artifacts: json(row.artifacts),
    resources: json(row.resources),
    result: json(row.result),
    resultArtifacts: json(row.resultArtifacts),
  }
}

export const toAnswer = (row: AnswerColumns, workflowId: string): AnswerRow => ({
  ...row,
  answer: parse(row.answer, workflowId, "a remembered answer"),
})

export const toReceipt = (row: KillColumns, workflowId: string): KillReceipt => ({
  ...parse<KillReceipt>(row.receipt, workflowId, "a kill receipt"),
  state: row.state,
})
