/**
 * A batch: what an actor has decided and not yet made durable, with the answers that wait for it.
 *
 * Answers that changed nothing (refusals, reads, replays) are in it too. A batch without events only asks the journal to
 * confirm its head, so that no answer is ever given on a state that another writer has already left behind.
 */
import type { Projection } from "../machines/projection.ts"
import type { WorkflowError } from "./errors.ts"
import type { Entry, Snapshot, StoredDefinition } from "./Journal.ts"
import type { Watch } from "./Telemetry.ts"
import type { Work } from "./Work.ts"

export interface Outcome {
  readonly work: Work
  readonly error: WorkflowError | undefined
  readonly answer: unknown
}

export class Batch {
  readonly expectedSeq: number
  readonly entries: Array<Entry> = []
  readonly projections: Array<Projection> = []
  readonly outcomes: Array<Outcome> = []
  definition: StoredDefinition | undefined
  snapshot: Snapshot | undefined

  constructor(expectedSeq: number) {
    this.expectedSeq = expectedSeq
  }

  /** Answers everything in it: call once it is durable. */
  answer(): void {
    for (const { work, error, answer } of this.outcomes) work.settle(error, answer)
  }

  /** Of the commands in it that somebody watches. */
  watches(): ReadonlyArray<Watch> {
    return this.outcomes.flatMap(({ work }) =>
      work._tag === "command" && work.watch !== undefined ? [work.watch] : [],
    )
  }

  fail(error: WorkflowError): void {
    for (const { work } of this.outcomes) work.settle(error, undefined)
  }
}
