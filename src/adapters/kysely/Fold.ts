/**
 * The fold: carries what pending groups changed into the tables, many groups at a time.
 *
 * Rows that were created in the same batch are put together in memory and written once, in the order of their keys; only
 * changes to older rows are updates. A lifecycle that began and ended between two folds costs one row a table. Works on ops
 * as they were parsed (ops.ts): what is written was never an object with names.
 */
import type Database from "better-sqlite3"
import type { PendingItem } from "./messages.ts"
import { handoffField, op, sessionField, type Values, workflowField } from "./ops.ts"
import { addSpan } from "./spans.ts"
import type { WriterStatements } from "./writerStatements.ts"

/** Events that one row of `journal_runs` covers at most: bounds what a page of events reads. */
const runEvents = 256

export interface PendingGroup {
  /** The journal id of its first event. */
  readonly id: number
  readonly items: ReadonlyArray<PendingItem>
}

/** A change of a row that an earlier batch wrote. */
interface Older {
  readonly code: number
  readonly values: Values
}

/** What a batch makes of one workflow. Rows are ops' values, changed in place. */
class Batch {
  readonly tenant: string
  readonly workflowId: string
  readonly runs: Array<{ first: number; last: number; readonly spans: Array<number> }> = []
  row: Values | undefined
  ended: Values | undefined
  wake: Values | undefined
  readonly roles = new Set<string>()
  readonly sessions = new Map<string, Values>()
  readonly handoffs = new Map<string, Values>()
  readonly steps = new Map<string, Values>()
  readonly kills = new Map<string, Values>()
  readonly resources = new Map<string, Values>()
  readonly answers = new Map<string, Values>()
  readonly older: Array<Older> = []

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

  apply(code: number, values: Values): void {
    const id = values[0] as string
    switch (code) {
      case op.workflowCreated:
        this.row = values
        return
      case op.workflowEnded:
        return this.#endWorkflow(values)
      case op.wakeAt:
        this.wake = values
        return
      case op.sessionCreated:
        this.roles.add(values[sessionField.role] as string)
        this.sessions.set(id, values)
        return
      case op.sessionEnded:
        return this.#endSession(values)
      case op.sessionsKilled:
        return this.#killSessions(values)
      case op.handoffOffered:
        this.handoffs.set(id, values)
        return
      case op.handoffChanged:
        return this.#changeHandoff(values)
      case op.handoffCompleted:
        return this.#completeHandoff(values)
      case op.handoffsKilled:
        return this.#killHandoffs(values)
      case op.stepResolved:
        this.steps.set(id, values)
        return
      case op.killIssued:
        this.kills.set(id, values)
        return
      case op.killQuiescent: {
        const kill = this.kills.get(id)
        if (kill === undefined) this.older.push({ code, values })
        else kill[1] = "quiescent"
        return
      }
      case op.resourceIdled:
        this.resources.set(`${id}\u0000${values[1] as string}`, values)
        return
      case op.answered:
        this.answers.set(id, values)
    }
  }

  #endWorkflow(values: Values): void {
    if (this.row === undefined) this.ended = values
    else {
      this.row[workflowField.status] = values[0]
      this.row[workflowField.endedAt] = values[1]
    }
  }

  #endSession(values: Values): void {
    const [status, version, at, killId, reason, id] = values
    const row = this.sessions.get(id as string)
    if (row === undefined) this.older.push({ code: op.sessionEnded, values })
    else endSession(row, status, version, at, killId, reason)
  }

  /** Those of this batch here; the others, session by session, as if each had ended alone. */
  #killSessions([at, killId, reason, sessions, versions]: Values): void {
    const ids = sessions as ReadonlyArray<string>
    for (let i = 0; i < ids.length; i++) {
      const version = (versions as ReadonlyArray<number>)[i]
      const row = this.sessions.get(ids[i] as string)
      if (row !== undefined) endSession(row, "killed", version, at, killId, reason)
      else this.older.push({ code: op.sessionEnded, values: ["killed", version, at, killId, reason, ids[i]] })
    }
  }

  #changeHandoff(values: Values): void {
    const [status, generation, sessionId, deadline, at, reason, id] = values
    const row = this.handoffs.get(id as string)
    if (row === undefined) {
      this.older.push({ code: op.handoffChanged, values })
      return
    }
    row[handoffField.status] = status
    row[handoffField.generation] = generation
    row[handoffField.sessionId] = sessionId
    row[handoffField.deadline] = deadline
    row[handoffField.updatedAt] = at
    row[handoffField.reason] = reason
  }

  #completeHandoff(values: Values): void {
    const [at, result, artifacts, id] = values
    const row = this.handoffs.get(id as string)
    if (row === undefined) {
      this.older.push({ code: op.handoffCompleted, values })
      return
    }
    row[handoffField.status] = "completed"
    row[handoffField.deadline] = null
    row[handoffField.updatedAt] = at
    row[handoffField.result] = result
    row[handoffField.resultArtifacts] = artifacts
  }

  #killHandoffs([at, reason, handoffs]: Values): void {
    for (const id of handoffs as ReadonlyArray<string>) {
      const row = this.handoffs.get(id)
      if (row === undefined) {
        this.older.push({ code: op.handoffsKilled, values: [at, reason, id] })
        continue
      }
      row[handoffField.status] = "killed"
      row[handoffField.deadline] = null
      row[handoffField.updatedAt] = at
      row[handoffField.reason] = reason
    }
  }
}

const endSession = (
  row: Values,
  status: unknown,
  version: unknown,
  at: unknown,
  killId: unknown,
  reason: unknown,
): void => {
  row[sessionField.status] = status
  row[sessionField.version] = version
  row[sessionField.endedAt] = at
  row[sessionField.killId] = killId
  row[sessionField.reason] = reason
}

const byKey = <A>(rows: ReadonlyMap<string, A>): ReadonlyArray<A> =>
  rows.size < 2 ? [...rows.values()] : [...rows].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map((entry) => entry[1])

/** Most lists of a handoff are empty. */
const json = (value: unknown): string => (Array.isArray(value) && value.length === 0 ? "[]" : JSON.stringify(value))

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
      for (const [tenant, workflowId, firstSeq, count, ops] of group.items) {
        const key = `${tenant}\u0000${workflowId}`
        let batch = batches.get(key)
        if (batch === undefined) {
          batch = new Batch(tenant, workflowId)
          batches.set(key, batch)
        }
        batch.addEvents(firstSeq, count, id)
        for (let i = 0; i + 1 < ops.length; i += 2) batch.apply(ops[i] as number, ops[i + 1] as Values)
        id += count
      }
    }
    this.#write(byKey(batches))
    this.#run.deletePending.run(last.id)
  }

  /** Table by table, each in the order of its key: a page is visited once. */
  #write(batches: ReadonlyArray<Batch>): void {
    const run = this.#run
    // Before the rows of this batch: a change that came before its row's creation was a change of nothing.
    for (const b of batches) for (const { code, values } of b.older) this.#change(b, code, values)
    for (const { tenant, workflowId, runs } of batches) {
      for (const { first, last, spans } of runs) run.run.run(tenant, workflowId, first, last, JSON.stringify(spans))
    }
    for (const b of batches) this.#writeWorkflow(b)
    this.#writeSessions(batches)
    for (const { tenant, workflowId, handoffs } of batches) {
      for (const row of byKey(handoffs)) {
        for (let i = handoffField.summary; i <= handoffField.resultArtifacts; i++) row[i] = json(row[i])
        run.handoff.run(tenant, workflowId, row)
      }
    }
    for (const { tenant, workflowId, steps } of batches) {
      for (const row of byKey(steps)) run.step.run(tenant, workflowId, row)
    }
    for (const { tenant, workflowId, kills, resources, answers } of batches) {
      for (const [id, state, receipt] of kills.values()) {
        run.kill.run(tenant, workflowId, id, state, JSON.stringify(receipt))
      }
      for (const row of byKey(resources)) run.resource.run(tenant, workflowId, row)
      for (const [key, fingerprint, answer] of byKey(answers)) {
        run.answer.run(tenant, workflowId, key, fingerprint, JSON.stringify(answer))
      }
    }
  }

  #writeWorkflow({ tenant, workflowId, row, ended, wake, roles }: Batch): void {
    const run = this.#run
    if (row !== undefined) run.workflow.run(tenant, workflowId, row, wake?.[0] ?? null)
    else {
      if (ended !== undefined) run.endWorkflow.run(ended, tenant, workflowId)
      if (wake !== undefined) run.wake.run(wake, tenant, workflowId)
    }
    for (const role of roles) run.role.run(role, tenant, workflowId)
  }

  #writeSessions(batches: ReadonlyArray<Batch>): void {
    const rows: Array<readonly [key: string, batch: Batch, row: Values]> = []
    for (const b of batches) for (const [id, row] of b.sessions) rows.push([`${b.tenant}\u0000${id}`, b, row])
    rows.sort((a, b) => (a[0] < b[0] ? -1 : 1))
    for (const [, b, row] of rows) this.#run.session.run(b.tenant, b.workflowId, row)
  }

  #change({ tenant, workflowId }: Batch, code: number, values: Values): void {
    const run = this.#run
    switch (code) {
      case op.sessionEnded:
        run.endSession.run(values, tenant)
        return
      case op.handoffChanged:
        run.changeHandoff.run(values, tenant, workflowId)
        return
      case op.handoffCompleted: {
        const [at, result, artifacts, id] = values
        run.completeHandoff.run(at, json(result), json(artifacts), tenant, workflowId, id)
        return
      }
      case op.handoffsKilled:
        run.killHandoff.run(values[0], values[1], tenant, workflowId, values[2])
        return
      case op.killQuiescent:
        run.quietKill.run(tenant, workflowId, values[0])
    }
  }
}
