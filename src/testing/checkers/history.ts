/**
 * A history: what callers asked and what they were told, with the moments of both, as seen at the client's edge.
 *
 * The clock is logical: a counter that is bumped at each call and at each return. Across processes of one machine it may be the
 * machine's monotonic clock (`process.hrtime`), which they all read alike: each stamp is taken outside of what it encloses, so
 * an interval is never shorter than the operation, also when a process was stopped in between.
 */
import { type Fields, fieldsOf, textOf } from "./fields.ts"

/** Undefined where the caller can't know: no answer came, or one that says only that the store was not reached. */
export type Outcome =
  | { readonly ok: true; readonly answer: Fields }
  | { readonly ok: false; readonly code: string; readonly facts: Fields }
  | undefined

export interface Recorded {
  readonly process: string
  readonly workflowId: string
  /** A method of `Client`. */
  readonly command: string
  readonly input: Fields
  /** The idempotency key, where there was one. */
  readonly key?: string
  readonly call: number
  /** Infinity where no answer came. */
  readonly return: number
  readonly outcome: Outcome
}

/** Errors after which the command may have been carried out all the same, at this moment or later. */
const undecided: ReadonlySet<string> = new Set(["storage_unavailable", "overloaded", "closed", "internal"])

/** Records what runs through `call`. An operation that has not returned yet is in it, without an outcome. */
export class HistoryRecorder {
  readonly #recorded: Array<Recorded> = []
  readonly #clock: () => number
  #now = 0

  constructor(clock?: () => number) {
    this.#clock = clock ?? (() => ++this.#now)
  }

  get history(): ReadonlyArray<Recorded> {
    return this.#recorded
  }

  async call<A extends object>(
    asked: Omit<Recorded, "call" | "return" | "outcome">,
    run: () => Promise<A>,
  ): Promise<A> {
    const call = this.#clock()
    const at = this.#recorded.push({ ...asked, call, return: Number.POSITIVE_INFINITY, outcome: undefined }) - 1
    try {
      const answer = await run()
      this.#recorded[at] = { ...asked, call, return: this.#clock(), outcome: { ok: true, answer: plainAnswer(answer) } }
      return answer
    } catch (error) {
      const refused = refusalOf(error)
      if (refused !== undefined) this.#recorded[at] = recordRefusal({ ...asked, call }, this.#clock(), refused)
      throw error
    }
  }
}

/** One that leaves open whether it happened stays without an outcome and without a return. */
export const recordRefusal = (
  asked: Omit<Recorded, "return" | "outcome">,
  at: number,
  { code, facts }: { readonly code: string; readonly facts: Fields },
): Recorded =>
  undecided.has(code)
    ? { ...asked, return: Number.POSITIVE_INFINITY, outcome: undefined }
    : { ...asked, return: at, outcome: { ok: false, code, facts } }

/** By its form: the error may come from another copy of the package. */
const refusalOf = (error: unknown): { readonly code: string; readonly facts: Fields } | undefined => {
  const { _tag, code, facts } = fieldsOf(error)
  const name = textOf(code)
  return _tag === "WorkflowError" && name !== undefined ? { code: name, facts: fieldsOf(facts) } : undefined
}

/** A session as what it was opened with: its methods say nothing. */
export const plainAnswer = (answer: object): Fields => {
  if (!("handedOver" in answer)) return { ...answer }
  const { workflowId, sessionId, role, agent, parentSessionId, handedOver } = answer as Fields
  return { workflowId, sessionId, role, agent, parentSessionId, handoff: handedOver }
}

/**
 * One operation for all calls under one idempotency key that were carried out or may have been: the first of them had the effect,
 * and the others were told so again. Refused calls were decided anew each time, and stay.
 */
export const mergeRepeats = (history: ReadonlyArray<Recorded>): ReadonlyArray<Recorded> => {
  const merged = new Map<string, Recorded>()
  const rest: Array<Recorded> = []
  for (const one of history.toSorted((a, b) => a.call - b.call)) {
    const name = one.key === undefined || one.outcome?.ok === false ? undefined : `${one.workflowId}\u0000${one.key}`
    const before = name === undefined ? undefined : merged.get(name)
    if (name === undefined) rest.push(one)
    else if (before === undefined) merged.set(name, one)
    else if (one.return < before.return) merged.set(name, { ...one, call: before.call })
  }
  return [...rest, ...merged.values()].sort((a, b) => a.call - b.call)
}
