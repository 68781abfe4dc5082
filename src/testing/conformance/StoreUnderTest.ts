/**
 * What the conformance kit needs of a store: openings of it, and writers that meet with misfortune.
 *
 * A *statement* is whatever the store does one after another to carry out an append: a statement of SQL, a message to a server,
 * a write to a file. One that only reads may be left out where the fault is a death or a freeze, as the next one that writes
 * stands for it. The kit does not know how many there are; it lets a fault strike at the first, the second, … until an append
 * ends before its fault has struck.
 */
import { AssertionError } from "node:assert/strict"
import { Cause, Effect, Exit, Result } from "effect"
import type { Append, Appended, Journal, StorageUnavailable } from "../../runtime/Journal.ts"

/** A store to be tested. */
export interface StoreUnderTest {
  readonly name: string
  /** A new, empty store. */
  make(): Promise<TestStore>
}

/** One store, which any number of writers may open, one after another or at once. */
export interface TestStore {
  /** Another writer on it: another connection, another runtime. Rejects if it can't be opened. */
  open(): Promise<OpenedStore>
  /** Another writer, in a process of its own or in what behaves like one when it dies. */
  openFaulty(): Promise<FaultyWriter>
  /** Everything that was opened is closed or dead by then. */
  remove(): Promise<void>
}

export interface OpenedStore {
  readonly journal: Journal["Service"]
  /** Ends it in the ordinary way: what it was asked before is finished. */
  close(): Promise<void>
}

/**
 * - `death`: the process is gone, as by SIGKILL. Nothing is tidied up.
 * - `freeze`: the process stands still until it is thawed; everyone else goes on.
 * - `error`: the statement fails, as on a full disk or a cut connection. What comes later works again.
 */
export type StoreFaultKind = "death" | "freeze" | "error"
export interface StoreFault {
  readonly kind: StoreFaultKind
  /** Which statement since it was armed: 1 is the first. */
  readonly statement: number
  /** `after`: the statement was carried out, and whoever sent it does not get to know. */
  readonly when: "before" | "after"
}

export interface FaultyWriter {
  /** Asks for one group. Settles when the answer is there, or its process is gone. */
  append(group: ReadonlyArray<Append>): Promise<WriteOutcome>
  /** From the next append on, counts statements; at the given one the fault strikes, once. Replaces what was armed. */
  arm(fault: StoreFault): Promise<Strike>
  /** Ends a freeze. */
  thaw(): void
  /** Its process is gone, now. */
  kill(): Promise<void>
  /** In the ordinary way; resolves also when it is dead. */
  close(): Promise<void>
}

export interface Strike {
  /** Whether the fault has struck. */
  readonly struck: boolean
  /** Resolves when it does. */
  readonly strikes: Promise<void>
  /** Lifts it: from here on it does not strike any more. */
  disarm(): Promise<void>
}

export type WriteOutcome =
  | { readonly _tag: "answered"; readonly results: ReadonlyArray<Appended> }
  | { readonly _tag: "refused"; readonly error: StorageUnavailable }
  /** No answer will come. */
  | { readonly _tag: "died" }

/** What an append came to. A defect is a bug of the store, whatever it is made of, and rejects. */
export const writeOutcome = async (
  append: Effect.Effect<ReadonlyArray<Appended>, StorageUnavailable>,
): Promise<WriteOutcome> => {
  const exit = await Effect.runPromiseExit(Effect.result(append))
  if (!Exit.isSuccess(exit))
    throw new AssertionError({
      message: `an append ended with what is not StorageUnavailable: ${Cause.pretty(exit.cause)}`,
    })
  return Result.isSuccess(exit.value)
    ? { _tag: "answered", results: exit.value.success }
    : { _tag: "refused", error: exit.value.failure }
}
