/**
 * The loader: an actor's state from the store. The latest snapshot, and the events after it folded on top.
 *
 * What does not parse, does not follow, or does not fit the chain is `storage_corrupt`: it names the workflow and the event, and
 * the workflow stays as it is until somebody has looked.
 */
import { Effect } from "effect"
import { makeRules, sha256Hex } from "../definition/index.ts"
import type { Definition } from "../machines/definition.ts"
import type { JournalEvent } from "../machines/events.ts"
import { birth, evolve } from "../machines/evolve/index.ts"
import type { Tenant, WorkflowId } from "../machines/ids.ts"
import type { Rules } from "../machines/rules.ts"
import { oldestSnapshotVersion, restoreSnapshot, type StoredState, snapshotVersion } from "../machines/snapshot.ts"
import type { State } from "../machines/state.ts"
import type { LoadedState } from "./ActorHost.ts"
import {
  type Entry,
  genesisHash,
  type Journal,
  type Loaded,
  type Snapshot,
  StorageCorrupt,
  type StorageError,
  type StoredDefinition,
} from "./Journal.ts"
import { limits } from "./limits.ts"

const corrupt = (workflowId: WorkflowId, detail: string, seq?: number): StorageCorrupt =>
  new StorageCorrupt({ detail, workflowId, ...(seq === undefined ? {} : { seq }) })

export class Loader {
  readonly #journal: Journal["Service"]
  readonly #rules = new Map<string, Rules>()

  constructor(journal: Journal["Service"]) {
    this.#journal = journal
  }

  /** Keeps the rules of a definition that was just compiled, so that its workflows load without compiling it again. */
  keep(rules: Rules): void {
    this.#rules.set(rules.hash, rules)
    if (this.#rules.size <= limits.definitions) return
    for (const oldest of this.#rules.keys()) {
      this.#rules.delete(oldest)
      break
    }
  }

  load(tenant: Tenant, workflowId: WorkflowId): Effect.Effect<LoadedState | undefined, StorageError> {
    return Effect.flatMap(this.#journal.load(tenant, workflowId), (loaded) =>
      loaded === undefined
        ? Effect.succeed(undefined)
        : Effect.try({
            try: () => this.#fold(workflowId, loaded),
            catch: (cause) =>
              cause instanceof StorageCorrupt
                ? cause
                : corrupt(workflowId, `Workflow ${workflowId} does not fold: ${reason(cause)}.`),
          }),
    )
  }

  /**
   * The rules of a stored definition. Its hash is checked and no more: a workflow is pinned to what was valid when it was
   * created, also where a newer compiler would object.
   */
  rulesOf(workflowId: WorkflowId, stored: StoredDefinition): Rules {
    const known = this.#rules.get(stored.hash)
    if (known !== undefined) return known
    if (sha256Hex(stored.text) !== stored.hash)
      throw corrupt(workflowId, `The definition ${stored.hash} in the store does not have that hash.`)
    const rules = makeRules({ hash: stored.hash, definition: JSON.parse(stored.text) as Definition })
    this.keep(rules)
    return rules
  }

  #fold(workflowId: WorkflowId, loaded: Loaded): LoadedState {
    const rules = this.rulesOf(workflowId, loaded.definition)
    let state: State | undefined = loaded.snapshot === null ? undefined : restored(workflowId, rules, loaded.snapshot)
    let hash = loaded.snapshot?.hash ?? genesisHash
    for (const entry of loaded.entries) {
      const expected = (state?.seq ?? 0) + 1
      if (entry.seq !== expected) throw corrupt(workflowId, `Event ${expected} is missing.`, expected)
      const next = sha256Hex(hash + entry.text)
      if (next !== entry.hash) throw corrupt(workflowId, `Event ${entry.seq} does not fit the hash chain.`, entry.seq)
      state = fold(workflowId, rules, state, entry)
      hash = next
    }
    if (state === undefined) throw corrupt(workflowId, "The workflow has no events.")
    return { state, hash, snapshotSeq: loaded.snapshot?.seq ?? 0 }
  }
}

const fold = (workflowId: WorkflowId, rules: Rules, before: State | undefined, entry: Entry): State => {
  try {
    const event = JSON.parse(entry.text) as JournalEvent
    const state = before ?? birth(event, rules)
    evolve(state, event)
    return state
  } catch (cause) {
    throw corrupt(workflowId, `Event ${entry.seq} does not fold: ${reason(cause)}.`, entry.seq)
  }
}

const restored = (workflowId: WorkflowId, rules: Rules, snapshot: Snapshot): State => {
  const { seq } = snapshot
  try {
    const stored = JSON.parse(snapshot.text) as StoredState
    if (!(stored.version >= oldestSnapshotVersion && stored.version <= snapshotVersion))
      throw new Error(
        `it has version ${stored.version}, and this version reads ${oldestSnapshotVersion} to ${snapshotVersion}`,
      )
    if (stored.seq !== seq) throw new Error(`it is of event ${stored.seq}`)
    return restoreSnapshot(stored, rules)
  } catch (cause) {
    throw corrupt(workflowId, `The snapshot of event ${seq} can't be read: ${reason(cause)}.`, seq)
  }
}

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : "unknown")
