/**
 * `verify`: walks a SQLite store offline and says what does not hold of I9: no gap in `seq`, a hash chain that verifies from
 * its genesis, a snapshot whose hash is the chain's. Whether the projections follow from the events is checked above, with
 * `StoreFile`, by whoever knows how to fold.
 */
import { Effect } from "effect"
import type { Tenant, WorkflowId } from "../../machines/ids.ts"
import { StorageCorrupt, type StorageError, StorageUnavailable } from "../../runtime/Journal.ts"
import { storageError } from "./errors.ts"
import { failureOf } from "./failures.ts"
import { StoreFile, type WorkflowKey } from "./StoreFile.ts"

export interface VerifyProblem {
  /** Empty where a row belongs to no workflow. */
  readonly tenant: string
  readonly workflowId: string
  readonly seq: number | null
  readonly problem: string
}
export interface VerifyReport {
  readonly workflows: number
  readonly events: number
  readonly problems: ReadonlyArray<VerifyProblem>
}

/** Reports at most this many problems: a damaged file has as many as it has rows. */
const maxProblems = 1000
/** Workflows between two moments at which other work may run. */
const workflowsPerTurn = 16

/** Of the whole store, of a tenant, or of one workflow. Fails only where the file cannot be read at all. */
export const verify = (
  options: { readonly filename: string },
  tenant?: Tenant,
  workflowId?: WorkflowId,
): Effect.Effect<VerifyReport, StorageError> =>
  Effect.acquireUseRelease(
    Effect.try({ try: () => new StoreFile(options.filename), catch: asStorageError }),
    (file) =>
      Effect.flatMap(
        Effect.sync(() => walk(file, tenant, workflowId)),
        runInTurns,
      ),
    (file) => Effect.sync(() => file.close()),
  )

const runInTurns = (steps: Iterator<void, VerifyReport>): Effect.Effect<VerifyReport, StorageError> =>
  Effect.gen(function* () {
    for (let turn = 1; ; turn++) {
      const step = yield* Effect.try({ try: () => steps.next(), catch: asStorageError })
      if (step.done === true) return step.value
      if (turn % workflowsPerTurn === 0) yield* Effect.yieldNow
    }
  })

const asStorageError = (error: unknown): StorageError => {
  if (error instanceof StorageCorrupt || error instanceof StorageUnavailable) return error
  const failure = failureOf(error)
  if (failure === undefined) throw error
  return storageError(failure)
}

function* walk(
  file: StoreFile,
  tenant: string | undefined,
  workflowId: string | undefined,
): Generator<void, VerifyReport> {
  const problems: Array<VerifyProblem> = []
  let workflows = 0
  let events = 0
  for (const key of file.workflows(tenant)) {
    if (workflowId !== undefined && key.workflowId !== workflowId) continue
    workflows++
    events += verifyWorkflow(file, key, (problem) => {
      const { tenant, workflowId } = key
      if (problems.length < maxProblems) problems.push({ tenant, workflowId, ...problem })
    })
    yield
  }
  const strays = tenant === undefined && workflowId === undefined ? file.countEvents() - events : 0
  if (strays > 0) {
    problems.push({
      tenant: "",
      workflowId: "",
      seq: null,
      problem: `${strays} events cannot be reached from any workflow`,
    })
  }
  return { workflows, events, problems }
}

/** The number of events that are the workflow's, whether they could be walked or not. Reading checks their chain. */
const verifyWorkflow = (
  file: StoreFile,
  key: WorkflowKey,
  report: (problem: { readonly seq: number | null; readonly problem: string }) => void,
): number => {
  const snapshot = file.snapshot(key)
  let seq = 0
  try {
    for (const entry of file.entries(key)) {
      seq = entry.seq
      if (!isJson(entry.text)) report({ seq, problem: "the event does not parse" })
      if (snapshot?.seq === seq && snapshot.hash !== entry.hash)
        report({ seq, problem: "the snapshot's hash is not the chain's" })
    }
  } catch (error) {
    if (!(error instanceof StorageCorrupt)) throw error
    report({ seq: error.seq ?? null, problem: error.detail })
    return file.countEventsOf(key)
  }
  if (seq === 0) report({ seq: null, problem: "the workflow has no events" })
  if (snapshot !== undefined && snapshot.seq > seq) {
    report({ seq: snapshot.seq, problem: "the snapshot is ahead of the last event" })
  }
  return seq
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
