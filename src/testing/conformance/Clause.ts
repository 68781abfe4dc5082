/**
 * A clause: one thing that every store must do, with the fault that it would find; and the trial in which it is tried.
 */
import assert from "node:assert/strict"
import { Effect } from "effect"
import type { Archive, ArchiveRefs } from "../../machines/projection.ts"
import type { Append, Appended, Entry, Journal, Page } from "../../runtime/Journal.ts"
import { Chain } from "./Chain.ts"
import type { FaultyWriter, OpenedStore, StoreUnderTest, TestStore } from "./StoreUnderTest.ts"

export interface Clause {
  /** Stable: `file.name`. */
  readonly id: string
  /** What must hold. */
  readonly title: string
  /** What a store that fails here does wrong. */
  readonly detects: string
  /** Tries it on a new store; rejects, as a rule with an AssertionError, when it does not hold. */
  run(store: StoreUnderTest): Promise<void>
}

export const clause = (id: string, title: string, detects: string, body: (trial: Trial) => Promise<void>): Clause => ({
  id,
  title,
  detects,
  run: async (subject) => {
    const trial = await Trial.begin(await subject.make())
    try {
      await body(trial)
    } finally {
      await trial.end()
    }
  },
})

export const appended: Appended = { _tag: "appended" }
export const conflict: Appended = { _tag: "conflict" }
export const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)

/** An empty store that is open, with what clauses do to it. All that is opened is closed at the end. */
export class Trial {
  readonly #store: TestStore
  #opened: Array<OpenedStore> = []
  #faulty: Array<FaultyWriter> = []
  #journal: Journal["Service"] | undefined

  private constructor(store: TestStore) {
    this.#store = store
  }
  static async begin(store: TestStore): Promise<Trial> {
    const trial = new Trial(store)
    try {
      await trial.reopen()
      return trial
    } catch (problem) {
      await store.remove()
      throw problem
    }
  }
  async end(): Promise<void> {
    await this.close()
    await this.#store.remove()
  }

  /** The opening that the methods below use. */
  get journal(): Journal["Service"] {
    if (this.#journal === undefined) throw new Error("the trial has no store open")
    return this.#journal
  }
  /** Another writer. */
  async open(): Promise<Journal["Service"]> {
    const opened = await this.#store.open()
    this.#opened.push(opened)
    return opened.journal
  }
  async openFaulty(): Promise<FaultyWriter> {
    const writer = await this.#store.openFaulty()
    this.#faulty.push(writer)
    return writer
  }
  /** Closes everything, in the ordinary way. */
  async close(): Promise<void> {
    this.#journal = undefined
    for (const writer of this.#faulty.splice(0)) await writer.close()
    for (const opened of this.#opened.splice(0)) await opened.close()
  }
  /** Closes everything and opens the store once again. */
  async reopen(): Promise<void> {
    await this.close()
    this.#journal = await this.open()
  }

  append(...group: ReadonlyArray<Append>): Promise<ReadonlyArray<Appended>> {
    return run(this.journal.append(group))
  }
  async one(append: Append): Promise<Appended | undefined> {
    return (await this.append(append))[0]
  }
  /** A workflow with its first event. */
  async created(id: string, tenant = "t1"): Promise<Chain> {
    const chain = new Chain(id, tenant)
    const result = await this.one(chain.create())
    assert.deepEqual(result, appended, `the new workflow ${id} is taken`)
    return chain
  }
  lookup(chain: Chain, refs: ArchiveRefs): Promise<Archive> {
    return run(this.journal.lookup(chain.tenant, chain.id, refs))
  }
  /** All events of a workflow. */
  async events(chain: Chain, journal = this.journal): Promise<ReadonlyArray<Entry>> {
    const all: Array<Entry> = []
    for (;;) {
      const page = await run(journal.read(chain.tenant, chain.id, all.at(-1)?.seq ?? 0, 1000))
      all.push(...page)
      if (page.length < 1000) return all
    }
  }
}

/** Every row of a listing, page by page; `between` runs after each page. */
export const everyPage = async <A>(
  page: (cursor: string | undefined) => Effect.Effect<Page<A>, unknown>,
  between: (pages: number) => Promise<void> = async () => {},
): Promise<ReadonlyArray<A>> => {
  const items: Array<A> = []
  let cursor: string | undefined
  for (let pages = 1; pages <= 200; pages++) {
    const got: Page<A> = await run(page(cursor))
    items.push(...got.items)
    if (got.cursor === null) return items
    cursor = got.cursor
    await between(pages)
  }
  throw new Error("the pages have no end")
}
export const paged = (limit: number, cursor: string | undefined) =>
  cursor === undefined ? { limit } : { limit, cursor }

/** One after another, so that the order of calls is the order of writes. */
export const inTurn = async <A>(items: ReadonlyArray<A>, each: (item: A) => Promise<unknown>): Promise<void> => {
  for (const item of items) await each(item)
}

/** Rejects, with `what` was waited for, when it takes longer. */
export const within = async <A>(ms: number, what: string, promise: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what}: not within ${ms} ms` })), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
