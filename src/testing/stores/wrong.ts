/** How the deliberately wrong stores are made: the memory store with one thing done wrong. */
import { Effect } from "effect"
import type { MemoryStore } from "../../adapters/memory/MemoryJournal.ts"
import type { Projection } from "../../machines/projection.ts"
import { type Append, type Appended, StorageUnavailable } from "../../runtime/Journal.ts"
import type { StoreUnderTest } from "../conformance/StoreUnderTest.ts"
import { type MemoryVariant, memoryStore } from "./memory.ts"

export interface WrongStore extends StoreUnderTest {
  /** What is wrong with it, in words. */
  readonly fault: string
  /** The clause that names the fault. */
  readonly clause: string
}

export type Writer = NonNullable<MemoryVariant["writer"]>

export const wrongVariant = (clause: string, fault: string, variant: () => MemoryVariant): WrongStore => ({
  ...memoryStore(`a store that ${fault}`, variant),
  fault,
  clause,
})

/** Wrong in what its writers do. */
export const wrong = (clause: string, fault: string, writer: Writer): WrongStore =>
  wrongVariant(clause, fault, () => ({ writer }))

/** Wrong in what its writers do, with a memory that they share, as a database would. */
export const wrongWith = <A>(
  clause: string,
  fault: string,
  shared: () => A,
  writer: (shared: A) => Writer,
): WrongStore => wrongVariant(clause, fault, () => ({ writer: writer(shared()) }))

/** Appends that are changed before they are carried out. */
export const changed =
  (change: (append: Append, store: MemoryStore) => Append): Writer =>
  (journal, store) => ({
    append: (group) => Effect.suspend(() => journal.append(group.map((append) => change(append, store)))),
  })

/** Projections that are changed, or left out, before they are carried out. */
export const projected = (
  change: (p: Projection, append: Append, store: MemoryStore) => Projection | undefined,
): Writer =>
  changed((append, store) => ({
    ...append,
    projections: append.projections.flatMap((p) => change(p, append, store) ?? []),
  }))

/** Appends that are carried out one by one, each in its own way. */
export const oneByOne =
  (each: (append: Append, store: MemoryStore) => Appended): Writer =>
  (_, store, gate) => ({ append: (group) => gate.passSync(() => group.map((append) => each(append, store))) })

/** What a wrong store answers. */
export const appended: Appended = { _tag: "appended" }
export const conflict: Appended = { _tag: "conflict" }

export const headOf = (store: MemoryStore, append: Append): number =>
  store.workflow(append.tenant, append.workflowId)?.entries.length ?? 0
/** The append as if it had been decided on the head, whatever that is. */
export const onHead = (store: MemoryStore, append: Append): Append => ({
  ...append,
  expectedSeq: headOf(store, append),
})

export const unavailable = new StorageUnavailable({ reason: "wrong", detail: "this store is wrong on purpose" })
