/**
 * The deadlines of one workflow, earliest first (semantics.md §9).
 *
 * A binary heap that forgets lazily: a deadline that was met, moved or lost its subject stays until it comes up, and is then
 * seen to be void because its subject no longer carries that very time. Rebuilt from the state on load, so nothing of it is
 * stored.
 */
import type { State, Step } from "./state.ts"

/** What a deadline is about. `workflow` is `max_duration`; `step` is the release of an orphan; `approval` a rejection. */
export type DeadlineKind = "workflow" | "offer" | "claim" | "prepared" | "step" | "approval"

export interface Deadline {
  readonly at: number
  readonly kind: DeadlineKind
  /** The id of its subject; empty for the workflow. */
  readonly id: string
}

/** At equal times the end of the workflow comes first: what it kills must not expire or be reclaimed as well. */
const rank: Readonly<Record<DeadlineKind, number>> = {
  workflow: 0,
  offer: 1,
  claim: 2,
  prepared: 3,
  step: 4,
  approval: 5,
}

/** A total order, so that a heap that was filled anew from the state fires what its predecessor would have fired. */
const before = (a: Deadline, b: Deadline): boolean =>
  a.at !== b.at ? a.at < b.at : a.kind !== b.kind ? rank[a.kind] < rank[b.kind] : a.id < b.id

export class Deadlines {
  readonly #heap: Array<Deadline> = []

  /** Entries held, void ones too. */
  get size(): number {
    return this.#heap.length
  }

  /** Starts anew, before the standing deadlines are added again. */
  clear(): void {
    this.#heap.length = 0
  }

  add(deadline: Deadline): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(deadline)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !before(deadline, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = deadline
  }

  /** The earliest deadline that still stands, dropping void ones on the way. */
  earliest(state: State): Deadline | undefined {
    let top = this.#heap[0]
    while (top !== undefined && !stands(state, top)) {
      this.#pop()
      top = this.#heap[0]
    }
    return top
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      const left = heap[child]
      if (left === undefined) break
      const right = heap[child + 1]
      let least = left
      if (right !== undefined && before(right, left)) {
        least = right
        child += 1
      }
      if (!before(least, last)) break
      heap[index] = least
      index = child
    }
    heap[index] = last
  }
}

/** Whether the subject of a deadline still carries it. */
const stands = (state: State, deadline: Deadline): boolean => {
  switch (deadline.kind) {
    case "workflow":
      return state.status === "active" && state.deadline === deadline.at
    case "offer":
    case "claim": {
      const handoff = state.handoffs.get(deadline.id as never)
      return handoff?.deadline === deadline.at && handoff.status === (deadline.kind === "offer" ? "offered" : "claimed")
    }
    case "prepared":
      return state.prepared.get(deadline.id as never)?.deadline === deadline.at
    case "step":
    case "approval": {
      const step = state.steps.get(deadline.id as never)
      return step?.deadline === deadline.at && kindOf(step) === deadline.kind
    }
  }
}

/** What the deadline of a step is about: nobody decided on it, or nobody said what became of it. */
const kindOf = (step: Pick<Step, "status">): "approval" | "step" =>
  step.status === "awaiting_approval" ? "approval" : "step"

/** Drops void deadlines once they outnumber by far what is open, so that memory follows what is open. */
export const compactDeadlines = (state: State): void => {
  const open = state.handoffs.size + state.steps.size + state.prepared.size
  if (state.deadlines.size > 4 * open + 64) rebuildDeadlines(state)
}

/** Fills the heap from the state alone. */
export const rebuildDeadlines = (state: State): void => {
  state.deadlines.clear()
  if (state.deadline !== null) state.deadlines.add({ at: state.deadline, kind: "workflow", id: "" })
  for (const handoff of state.handoffs.values()) {
    if (handoff.deadline === null) continue
    if (handoff.status === "offered")
      state.deadlines.add({ at: handoff.deadline, kind: "offer", id: handoff.handoffId })
    if (handoff.status === "claimed")
      state.deadlines.add({ at: handoff.deadline, kind: "claim", id: handoff.handoffId })
  }
  for (const prepared of state.prepared.values())
    state.deadlines.add({ at: prepared.deadline, kind: "prepared", id: prepared.preparedRequestId })
  for (const step of state.steps.values())
    if (step.deadline !== null) state.deadlines.add({ at: step.deadline, kind: kindOf(step), id: step.stepId })
}
