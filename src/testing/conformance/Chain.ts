/** The writes of one workflow, one after another, with a hash chain that verifies; and the check of such a chain. */
import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import type { Tenant, WorkflowId } from "../../machines/ids.ts"
import type { Projection, WorkflowRow } from "../../machines/projection.ts"
import { type Append, type Entry, genesisHash, type Snapshot } from "../../runtime/Journal.ts"
import { definition, sessionRow, tenantId, wf, workflowRow } from "./rows.ts"

const next = (previous: string, text: string): string =>
  createHash("sha256").update(previous).update(text).digest("hex")

export class Chain {
  readonly tenant: Tenant
  readonly id: WorkflowId
  seq = 0
  hash = genesisHash
  constructor(id: string, tenant = "t1") {
    this.id = wf(id)
    this.tenant = tenantId(tenant)
  }
  /** Another writer that has seen the same events. */
  fork(): Chain {
    const other = new Chain(this.id, this.tenant)
    other.seq = this.seq
    other.hash = this.hash
    return other
  }
  /** Catches up with what was read, whoever wrote it. */
  follow(entries: ReadonlyArray<Entry>): void {
    const last = entries.at(-1)
    this.seq = last?.seq ?? 0
    this.hash = last?.hash ?? genesisHash
  }
  /** An append of `count` events on the head; moves the head, as if it had been appended. */
  append(projections: ReadonlyArray<Projection> = [], count = 1, body = "event"): Append {
    const expectedSeq = this.seq
    const entries: Array<Entry> = []
    for (let i = 0; i < count; i++) {
      const text = JSON.stringify({ seq: ++this.seq, body })
      this.hash = next(this.hash, text)
      entries.push({ seq: this.seq, text, hash: this.hash })
    }
    return { tenant: this.tenant, workflowId: this.id, expectedSeq, entries, projections }
  }
  create(more: Partial<WorkflowRow> = {}): Append {
    const row = workflowRow(this.id, more)
    const root = sessionRow(this.id, row.rootSessionId, { role: "orchestrator", agent: "planner" })
    return {
      ...this.append([
        { _tag: "workflowCreated", row },
        { _tag: "sessionCreated", row: root },
      ]),
      definition,
    }
  }
  snapshot(text = `{"state":${this.seq}}`): Snapshot {
    return { seq: this.seq, hash: this.hash, text }
  }
  /** Asks whether `seq` is still the head. */
  confirm(expectedSeq = this.seq): Append {
    return { tenant: this.tenant, workflowId: this.id, expectedSeq, entries: [], projections: [] }
  }
}

/** Fails unless `entries` are the first events of a workflow: no gap, no double, each hash on the one before (I9). */
export const assertChain = (entries: ReadonlyArray<Entry>, what = "the journal"): void => {
  let hash = genesisHash
  for (const [index, entry] of entries.entries()) {
    assert.equal(entry.seq, index + 1, `${what} has event ${index + 1} in its place`)
    hash = next(hash, entry.text)
    assert.equal(entry.hash, hash, `event ${entry.seq} of ${what} is on the hash chain`)
  }
}
