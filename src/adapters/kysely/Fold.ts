/**
 * The fold: carries what pending groups changed into the tables, many groups at a time.
 *
 * Rows that were created in the same batch are put together in memory and written once, in the order of their keys; only
 * changes to older rows are updates. A lifecycle that began and ended between two folds costs one row a table.
 */
import type Database from "better-sqlite3"
import type { KillReceipt } from "../../machines/answers.ts"
import type {
  AnswerRow,
  HandoffRow,
  Projection,
  ResourceRow,
  SessionRow,
  StepRow,
  WorkflowRow,
} from "../../machines/projection.ts"
import * as Rows from "../rows.ts"
import type { PendingItem } from "./messages.ts"
import { addSpan } from "./spans.ts"
import type { WriterStatements } from "./writerStatements.ts"

/** Events that one row of `journal_runs` covers at most: bounds what a page of events reads. */
const runEvents = 256

export interface PendingGroup {
  /** The journal id of its first event. */
  readonly id: number
  readonly items: ReadonlyArray<PendingItem>
}

/** What a batch makes of one workflow. */
class Batch {
  readonly tenant: string
  readonly workflowId: string
  readonly runs: Array<{ first: number; last: number; readonly spans: Array<number> }> = []
  row: WorkflowRow | undefined
  ended: Extract<Projection, { _tag: "workflowEnded" }> | undefined
  wake: { readonly at: number | null } | undefined
  readonly roles = new Set<string>()
  readonly sessions = new Map<string, SessionRow>()
  readonly handoffs = new Map<string, HandoffRow>()
  readonly steps = new Map<string, StepRow>()
  readonly kills = new Map<string, KillReceipt>()
  readonly resources = new Map<string, ResourceRow>()
  readonly answers = new Map<string, AnswerRow>()
  /** Changes of rows that earlier batches wrote, in order. */
  readonly older: Array<Projection> = []

  constructor(tenant: string, workflowId: string) {
    this.tenant = tenant
    this.workflowId = workflowId
  }

  addEvents(firstSeq: number, count: number, firstId: number): void {
    for (let done = 0; done < count; ) {
      const seq = firstSeq + done
      let run = this.runs.at(-1)
      if (run === undefined || run.last + 1 !== seq || run.last - run.first + 1 >= runEvents) {
        run = { first: seq, last: seq - 1, spans: [] }
        this.runs.push(run)
      }
      const take = Math.min(count - done, runEvents - (run.last - run.first + 1))
      addSpan(run.spans, firstId + done, take)
      run.last += take
      done += take
    }
  }

  apply(p: Projection): void {
    switch (p._tag) {
      case "workflowCreated":
        this.row = p.row
        return
      case "workflowEnded":
        if (this.row === undefined) this.ended = p
        else this.row = Rows.workflowEnded(this.row, p)
        return
      case "wakeAt":
        this.wake = p
        return
      case "sessionCreated":
        this.roles.add(p.row.role)
        this.sessions.set(p.row.sessionId, p.row)
        return
      case "sessionEnded": {
        const row = this.sessions.get(p.sessionId)
        if (row === undefined) this.older.push(p)
        else this.sessions.set(p.sessionId, Rows.sessionEnded(row, p))
        return
      }
      case "sessionsKilled":
        return this.#killSessions(p)
      case "stepResolved":
        this.steps.set(p.row.stepId, p.row)
        return
      case "killIssued":
        this.kills.set(p.receipt.killId, p.receipt)
        return
      case "killQuiescent": {
        const receipt = this.kills.get(p.killId)
        if (receipt === undefined) this.older.push(p)
        else this.kills.set(p.killId, Rows.killQuiescent(receipt))
        return
      }
      case "resourceIdled":
        this.resources.set(`${p.row.name}\u0000${p.row.key}`, p.row)
        return
      case "answered":
        this.answers.set(p.row.key, p.row)
        return
      default:
        return this.#applyHandoff(p)
    }
  }

  #killSessions(p: Extract<Projection, { _tag: "sessionsKilled" }>): void {
    let older = false
    for (let i = 0; i < p.sessions.length; i++) {
      const row = this.sessions.get(p.sessions[i] as string)
      if (row === undefined) older = true
      else this.sessions.set(row.sessionId, Rows.sessionKilled(row, p, i))
    }
    if (older) this.older.push(p)
  }

  #applyHandoff(p: Extract<Projection, { _tag: `handoff${string}` }>): void {
    switch (p._tag) {
      case "handoffOffered":
        this.handoffs.set(p.row.handoffId, p.row)
        return
      case "handoffsKilled": {
        let older = false
        for (const id of p.handoffs) {
          const row = this.handoffs.get(id)
          if (row === undefined) older = true
          else this.handoffs.set(id, Rows.handoffKilled(row, p))
        }
        if (older) this.older.push(p)
        return
      }
      default: {
        const row = this.handoffs.get(p.handoffId)
        if (row === undefined) this.older.push(p)
        else {
          this.handoffs.set(
            p.handoffId,
            p._tag === "handoffChanged" ? Rows.handoffChanged(row, p) : Rows.handoffCompleted(row, p),
          )
        }
      }
    }
  }
}

const byKey = <A>(rows: ReadonlyMap<string, A>): ReadonlyArray<A> =>
  [...rows].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map((entry) => entry[1])

/** Prepares its statements once; `fold` runs inside the caller's transaction. */
export class Folder {
  readonly #run: Readonly<Record<keyof WriterStatements["fold"], Database.Statement>>

  constructor(db: Database.Database, statements: WriterStatements["fold"]) {
    const prepared = Object.entries(statements).map(([name, sql]) => [name, db.prepare(sql)])
    this.#run = Object.fromEntries(prepared) as Record<keyof typeof statements, Database.Statement>
  }

  fold(groups: ReadonlyArray<PendingGroup>): void {
    const last = groups.at(-1)
    if (last === undefined) return
    const batches = new Map<string, Batch>()
    for (const group of groups) {
      let id = group.id
      for (const [tenant, workflowId, firstSeq, count, projections] of group.items) {
        const key = `${tenant}\u0000${workflowId}`
        let batch = batches.get(key)
        if (batch === undefined) {
          batch = new Batch(tenant, workflowId)
          batches.set(key, batch)
        }
        batch.addEvents(firstSeq, count, id)
        for (const projection of projections) batch.apply(projection)
        id += count
      }
    }
    this.#write(byKey(batches))
    this.#run.deletePending.run(last.id)
  }

  /** Table by table, each in the order of its key: a page is visited once. */
  #write(batches: ReadonlyArray<Batch>): void {
    const run = this.#run
    for (const b of batches) {
      for (const { first, last, spans } of b.runs) {
        run.run.run(b.tenant, b.workflowId, first, last, JSON.stringify(spans))
      }
    }
    for (const b of batches) this.#writeWorkflow(b)
    this.#writeSessions(batches)
    for (const b of batches) for (const row of byKey(b.handoffs)) this.#writeHandoff(b, row)
    for (const { tenant: t, workflowId: w, steps } of batches) {
      for (const s of byKey(steps)) {
        run.step.run(t, w, s.stepId, s.sessionId, s.tool, s.status, s.outcome, s.cost, s.tokens, s.resolvedAt)
      }
    }
    for (const { tenant: t, workflowId: w, kills, resources, answers } of batches) {
      for (const k of kills.values()) run.kill.run(t, w, k.killId, k.state, JSON.stringify(k))
      for (const r of byKey(resources)) run.resource.run(t, w, r.name, r.key, r.fence, r.version)
      for (const a of byKey(answers)) run.answer.run(t, w, a.key, a.fingerprint, JSON.stringify(a.answer))
    }
    for (const b of batches) for (const p of b.older) this.#change(b, p)
  }

  #writeWorkflow({ tenant, workflowId, row, ended, wake, roles }: Batch): void {
    const run = this.#run
    if (row !== undefined) {
      run.workflow.run(
        tenant,
        workflowId,
        row.workflow,
        row.definitionHash,
        row.rootSessionId,
        row.rootRole,
        row.status,
        row.createdAt,
        row.endedAt,
        wake?.at ?? null,
      )
    } else {
      if (ended !== undefined) run.endWorkflow.run(ended.status, ended.at, tenant, workflowId)
      if (wake !== undefined) run.wake.run(wake.at, tenant, workflowId)
    }
    for (const role of roles) run.role.run(role, tenant, workflowId)
  }

  #writeSessions(batches: ReadonlyArray<Batch>): void {
    const rows: Array<readonly [tenant: string, row: SessionRow]> = []
    for (const b of batches) for (const row of b.sessions.values()) rows.push([b.tenant, row])
    rows.sort((a, b) => (a[0] === b[0] ? (a[1].sessionId < b[1].sessionId ? -1 : 1) : a[0] < b[0] ? -1 : 1))
    for (const [tenant, s] of rows) {
      this.#run.session.run(
        tenant,
        s.sessionId,
        s.workflowId,
        s.role,
        s.agent,
        s.parentSessionId,
        s.handoffId,
        s.generation,
        s.depth,
        s.status,
        s.version,
        s.createdAt,
        s.createdSeq,
        s.endedAt,
        s.killId,
        s.reason,
      )
    }
  }

  #writeHandoff({ tenant, workflowId }: Batch, h: HandoffRow): void {
    this.#run.handoff.run(
      tenant,
      workflowId,
      h.handoffId,
      h.fromSessionId,
      h.fromRole,
      h.toRole,
      h.status,
      h.generation,
      h.sessionId,
      h.offeredAt,
      h.offeredSeq,
      h.updatedAt,
      h.deadline,
      JSON.stringify(h.summary),
      JSON.stringify(h.artifacts),
      JSON.stringify(h.resources),
      JSON.stringify(h.result),
      JSON.stringify(h.resultArtifacts),
      h.reason,
    )
  }

  #change({ tenant, workflowId, sessions, handoffs }: Batch, p: Projection): void {
    const run = this.#run
    switch (p._tag) {
      case "sessionEnded":
        run.endSession.run(p.status, p.version, p.at, p.killId, p.reason, tenant, p.sessionId)
        return
      case "sessionsKilled":
        for (let i = 0; i < p.sessions.length; i++) {
          const id = p.sessions[i] as string
          if (sessions.has(id)) continue
          run.endSession.run("killed", p.versions[i] as number, p.at, p.killId, p.reason, tenant, id)
        }
        return
      case "handoffChanged":
        run.changeHandoff.run(
          p.status,
          p.generation,
          p.sessionId,
          p.deadline,
          p.at,
          p.reason,
          tenant,
          workflowId,
          p.handoffId,
        )
        return
      case "handoffCompleted":
        run.completeHandoff.run(
          p.at,
          JSON.stringify(p.result),
          JSON.stringify(p.artifacts),
          tenant,
          workflowId,
          p.handoffId,
        )
        return
      case "handoffsKilled":
        for (const id of p.handoffs) {
          if (!handoffs.has(id)) run.killHandoff.run(p.at, p.reason, tenant, workflowId, id)
        }
        return
      case "killQuiescent":
        run.quietKill.run(tenant, workflowId, p.killId)
    }
  }
}
