/**
 * A linearizability checker: is there an order of these operations that respects real time and the model?
 *
 * After Wing and Gong, with Lowe's memo: an operation may come next when it was called before any other that is left has
 * returned; what was tried from one state with one set of operations done is not tried again. An operation without an answer
 * may have happened at any moment since its call, or never: both are tried. A model may also move by itself (a lease that runs
 * out). The search is bounded, and a search that was cut off says so: it never passes for a verdict.
 */

export interface Operation<A> {
  /** Who acted, for whoever reads the verdict. */
  readonly process: string
  readonly action: A
  /** On one clock for all processes, taken before the call and after its answer. */
  readonly call: number
  /** Infinity where no answer came. */
  readonly return: number
}

/** Pure, and its states finite in number for a finite history: else only the budget ends the search. */
export interface Model<S, A> {
  readonly init: S
  /** The states after the action; none where what it answered is impossible here. More than one where its answer left it open. */
  step(state: S, action: A): ReadonlyArray<S>
  /** States that may follow by themselves, by a moment that is not after `latest`. */
  internal?(state: S, latest: number): ReadonlyArray<S>
  /**
   * What it does by itself can as well be put off until an operation is impossible without it: every action leads to the same
   * states before and after. Saves most of the search.
   */
  readonly lazy?: boolean
  /** Equal for equal states only. */
  key(state: S): string
}

export type Verdict<S, A> =
  | {
      readonly _tag: "linearizable"
      /** Unanswered operations that are not in it never happened. */
      readonly order: ReadonlyArray<Operation<A>>
      readonly visited: number
    }
  | {
      readonly _tag: "notLinearizable"
      /** The shortest prefix of the history that no order explains. */
      readonly prefix: ReadonlyArray<Operation<A>>
      /** The operation at whose return that prefix ends. */
      readonly last: Operation<A>
      /** As much of the prefix as an order could explain, and the state in which nothing fitted any more. */
      readonly explained: ReadonlyArray<Operation<A>>
      readonly state: S
      readonly visited: number
    }
  | { readonly _tag: "budgetExceeded"; readonly visited: number }

export const defaultBudget = 400_000

/** `budget` bounds the configurations (a state and what is done) that are looked at, in all. */
export const checkLinearizable = <S, A>(
  model: Model<S, A>,
  history: ReadonlyArray<Operation<A>>,
  budget: number = defaultBudget,
): Verdict<S, A> => {
  const whole = new Search(model, history, budget)
  const found = whole.run()
  if (found === "linearizable") return { _tag: found, order: whole.order, visited: whole.visited }
  if (found === "budgetExceeded") return { _tag: found, visited: whole.visited }
  return shortest(model, history, budget, whole)
}

/** Linearizable histories have only linearizable prefixes, so the end of the shortest one that is not can be halved out. */
const shortest = <S, A>(
  model: Model<S, A>,
  history: ReadonlyArray<Operation<A>>,
  budget: number,
  whole: Search<S, A>,
): Verdict<S, A> => {
  const ends = history.filter((op) => Number.isFinite(op.return)).toSorted((a, b) => a.return - b.return)
  let failed = whole
  let visited = whole.visited
  let low = 0
  let high = ends.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    const search = new Search(model, until(history, ends[middle]?.return ?? 0), budget)
    const found = search.run()
    visited += search.visited
    // A prefix that could not be decided is left out: the verdict stands on the whole history.
    if (found === "notLinearizable") {
      failed = search
      high = middle
    } else low = middle + 1
  }
  const last = ends[high]
  if (last === undefined) throw new Error("a history without answers can't be impossible")
  return {
    _tag: "notLinearizable",
    prefix: until(history, last.return),
    last,
    explained: failed.longest,
    state: failed.stuck,
    visited,
  }
}

/** What was seen of a history at a moment: later calls are not there, later answers had not come. */
const until = <A>(history: ReadonlyArray<Operation<A>>, end: number): ReadonlyArray<Operation<A>> =>
  history
    .filter((op) => op.call <= end)
    .map((op) => (op.return > end ? { ...op, return: Number.POSITIVE_INFINITY } : op))

/** One possible next step: an operation by its index, or `internal`. */
interface Move<S> {
  readonly index: number
  readonly state: S
}
interface Frame<S> {
  readonly moves: ReadonlyArray<Move<S>>
  next: number
}
const internal = -1

class Search<S, A> {
  readonly #model: Model<S, A>
  readonly #ops: ReadonlyArray<Operation<A>>
  readonly #budget: number
  /** Indexes of operations without an answer, by call. */
  readonly #open: ReadonlyArray<number>
  readonly #certain: number
  readonly #done: Uint8Array
  readonly #seen = new Set<string>()
  readonly #path: Array<number> = []
  /** The first operation with an answer that is not done. */
  #low = 0
  #count = 0
  visited = 0
  longest: ReadonlyArray<Operation<A>> = []
  stuck: S
  #most = -1

  constructor(model: Model<S, A>, history: ReadonlyArray<Operation<A>>, budget: number) {
    this.#model = model
    this.#budget = budget
    this.#ops = history.toSorted((a, b) => a.call - b.call)
    this.#open = this.#ops.flatMap((op, index) => (Number.isFinite(op.return) ? [] : [index]))
    this.#certain = this.#ops.length - this.#open.length
    this.#done = new Uint8Array(this.#ops.length)
    this.stuck = model.init
  }

  get order(): ReadonlyArray<Operation<A>> {
    return this.#path.flatMap((index) => this.#ops[index] ?? [])
  }

  run(): "linearizable" | "notLinearizable" | "budgetExceeded" {
    this.#settle()
    const root = this.#enter(this.#model.init)
    const stack: Array<Frame<S>> = root === undefined ? [] : [root]
    if (this.#count === this.#certain) return "linearizable"
    while (stack.length > 0) {
      const frame = stack.at(-1)
      const move = frame?.moves[frame.next]
      if (frame === undefined || move === undefined) {
        stack.pop()
        if (stack.length > 0) this.#undo()
        continue
      }
      frame.next += 1
      this.#do(move.index)
      if (this.#count === this.#certain) return "linearizable"
      if (this.visited >= this.#budget) return "budgetExceeded"
      const next = this.#enter(move.state)
      if (next === undefined) this.#undo()
      else stack.push(next)
    }
    return "notLinearizable"
  }

  /** Undefined where this was tried before. */
  #enter(state: S): Frame<S> | undefined {
    const key = `${this.#doneKey()}|${this.#model.key(state)}`
    if (this.#seen.has(key)) return undefined
    this.#seen.add(key)
    this.visited += 1
    if (this.#count > this.#most) {
      this.#most = this.#count
      this.longest = this.order
      this.stuck = state
    }
    return { moves: this.#moves(state), next: 0 }
  }

  /** Answered operations first, the earliest to return before the others; then what may have happened unseen. */
  #moves(state: S): ReadonlyArray<Move<S>> {
    const latest = this.#firstReturn()
    const moves: Array<Move<S>> = []
    let stuck = false
    for (const index of this.#callable(latest)) {
      const next = this.#step(state, index)
      stuck ||= next.length === 0
      for (const one of next) moves.push({ index, state: one })
    }
    const here = this.#model.key(state)
    for (const index of this.#open) {
      const op = this.#ops[index]
      if (op === undefined || op.call > latest) break
      if (this.#done[index] === 1) continue
      // One that changes nothing may as well not have happened.
      for (const next of this.#step(state, index))
        if (this.#model.key(next) !== here) moves.push({ index, state: next })
    }
    if (this.#model.lazy === true && !stuck) return moves
    for (const next of this.#model.internal?.(state, latest) ?? [])
      if (this.#model.key(next) !== here) moves.push({ index: internal, state: next })
    return moves
  }

  #step(state: S, index: number): ReadonlyArray<S> {
    const op = this.#ops[index]
    return op === undefined ? [] : this.#model.step(state, op.action)
  }

  /** Nothing that is left may take effect after this: it would be after an operation that had returned. */
  #firstReturn(): number {
    let first = Number.POSITIVE_INFINITY
    for (let i = this.#low; i < this.#ops.length; i++) {
      const op = this.#ops[i]
      if (op === undefined || op.call > first) break
      if (this.#done[i] === 0) first = Math.min(first, op.return)
    }
    return first
  }

  #callable(latest: number): ReadonlyArray<number> {
    const indexes: Array<number> = []
    for (let i = this.#low; i < this.#ops.length; i++) {
      const op = this.#ops[i]
      if (op === undefined || op.call > latest) break
      if (this.#done[i] === 0 && Number.isFinite(op.return)) indexes.push(i)
    }
    return indexes.sort((a, b) => (this.#ops[a]?.return ?? 0) - (this.#ops[b]?.return ?? 0))
  }

  /** What is done, in short: all that was answered before `low`, what is done after it, and the unanswered that happened. */
  #doneKey(): string {
    const latest = this.#firstReturn()
    let key = `${this.#low}`
    for (const index of this.#open) {
      if (index >= this.#low) break
      if (this.#done[index] === 1) key += `,${index}`
    }
    for (let i = this.#low; i < this.#ops.length && (this.#ops[i]?.call ?? 0) <= latest; i++)
      if (this.#done[i] === 1) key += `,${i}`
    return key
  }

  #do(index: number): void {
    this.#path.push(index)
    if (index === internal) return
    this.#done[index] = 1
    if (Number.isFinite(this.#ops[index]?.return)) this.#count += 1
    this.#settle()
  }
  #undo(): void {
    const index = this.#path.pop() ?? internal
    if (index === internal) return
    this.#done[index] = 0
    if (!Number.isFinite(this.#ops[index]?.return)) return
    this.#count -= 1
    this.#low = Math.min(this.#low, index)
  }
  #settle(): void {
    while (
      this.#low < this.#ops.length &&
      (this.#done[this.#low] === 1 || !Number.isFinite(this.#ops[this.#low]?.return))
    )
      this.#low += 1
  }
}
