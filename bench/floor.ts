/**
 * The hand-written lifecycle on SQLite: what somebody would write who needs just this job and nothing else. It is the
 * floor that the runtime is measured against, in the same run (architecture.md, "Speed: what the hardware allows").
 *
 * One table of handoffs, one of events, four transitions: offer is an insert; claim, step and done are an `update` whose
 * `where` is the guard, checked by the count of changed rows. Each has its event insert with 200 bytes of body. Prepared
 * statements, no index but the keys, WAL, `synchronous = FULL`.
 *
 * Nothing here may be made slower: a slower floor flatters every ratio. Tried, without a gain beyond the noise:
 * exclusive locking, a larger page cache, mmap, other page sizes, other checkpoint intervals. A blob body is faster than
 * text (about 8 % in groups of 128). One multi-row insert for the events of 16 handoffs would add about 15 %, but is no
 * longer "each transition with its event insert".
 */
import { join } from "node:path"
import Database from "better-sqlite3"
import { latency, type Sample, throughput } from "./measure.ts"

const eventBodyBytes = 200
const synchronousFull = 2

const offered = 0
const claimed = 1
const completed = 2

const owner = 7
const initialFence = 0
const initialBudget = 100
const stepCost = 1

/** Each lifecycle alone, a transaction a transition: `p50_ms` and `p99_ms` of the whole lifecycle, `lifecycles_per_s`. */
export function lifecyclesAlone(dir: string, seconds: number): Sample {
  const floor = openLifecycle(dir)
  try {
    return latency(seconds, "lifecycles_per_s", () => floor.advance(1))
  } finally {
    floor.close()
  }
}

/** Lifecycles that advance together in groups, one transaction a transition for the whole group: `lifecycles_per_s`. */
export function lifecyclesInGroups(dir: string, groupSize: number, seconds: number): Sample {
  const floor = openLifecycle(dir)
  try {
    const lifecycles_per_s = throughput(seconds, () => {
      floor.advance(groupSize)
      return groupSize
    })
    return { lifecycles_per_s }
  } finally {
    floor.close()
  }
}

/** Event rows and nothing else, `rowsPerCommit` in a transaction: `rows_per_s`. */
export function rows(dir: string, rowsPerCommit: number, seconds: number): Sample {
  const db = openFile(dir)
  const begin = db.prepare("begin immediate")
  const commit = db.prepare("commit")
  const insert = db.prepare<[number, number, number, Buffer]>("insert into events values (?, ?, ?, ?)")
  const body = Buffer.alloc(eventBodyBytes, "x")
  let sequence = 0
  const write = (): number => {
    begin.run()
    for (let row = 0; row < rowsPerCommit; row++) insert.run(++sequence, 1, 0, body)
    commit.run()
    return rowsPerCommit
  }
  try {
    write()
    assertFull(db)
    return { rows_per_s: throughput(seconds, write) }
  } finally {
    db.close()
  }
}

interface Lifecycle {
  /** Takes `count` new handoffs from offer to done, durable after each of the four transitions. */
  advance(count: number): void
  close(): void
}

function openLifecycle(dir: string): Lifecycle {
  const db = openFile(dir)
  const begin = db.prepare("begin immediate")
  const commit = db.prepare("commit")
  const offer = db.prepare<[number]>(
    `insert into handoffs values (?, ${offered}, 0, ${initialFence}, ${initialBudget})`,
  )
  const claim = db.prepare<[number, number]>(
    `update handoffs set state = ${claimed}, owner = ?, fence = fence + 1 where id = ? and state = ${offered}`,
  )
  const step = db.prepare<[number, number, number, number, number]>(
    `update handoffs set budget = budget - ?
      where id = ? and state = ${claimed} and owner = ? and fence = ? and budget >= ?`,
  )
  const done = db.prepare<[number, number, number]>(
    `update handoffs set state = ${completed} where id = ? and state = ${claimed} and owner = ? and fence = ?`,
  )
  const record = db.prepare<[number, number, number, Buffer]>("insert into events values (?, ?, ?, ?)")
  const body = Buffer.alloc(eventBodyBytes, "x")
  const fence = initialFence + 1
  let lastId = 0
  let sequence = 0

  const advance = (count: number): void => {
    const first = lastId + 1
    const last = lastId + count
    lastId = last
    begin.run()
    for (let id = first; id <= last; id++) {
      changedOne(offer.run(id))
      record.run(++sequence, id, 0, body)
    }
    commit.run()
    begin.run()
    for (let id = first; id <= last; id++) {
      changedOne(claim.run(owner, id))
      record.run(++sequence, id, 1, body)
    }
    commit.run()
    begin.run()
    for (let id = first; id <= last; id++) {
      changedOne(step.run(stepCost, id, owner, fence, stepCost))
      record.run(++sequence, id, 2, body)
    }
    commit.run()
    begin.run()
    for (let id = first; id <= last; id++) {
      changedOne(done.run(id, owner, fence))
      record.run(++sequence, id, 3, body)
    }
    commit.run()
  }

  advance(1)
  assertFull(db)
  return { advance, close: () => db.close() }
}

function openFile(dir: string): Database.Database {
  const db = new Database(join(dir, "floor.db"))
  db.pragma("journal_mode = WAL")
  db.pragma("synchronous = FULL")
  db.exec(`
    create table handoffs (
      id integer primary key, state integer not null, owner integer not null, fence integer not null,
      budget integer not null);
    create table events (
      sequence integer primary key, handoff integer not null, kind integer not null, body blob not null)`)
  return db
}

/**
 * better-sqlite3 is compiled to fall to NORMAL in WAL mode: unless FULL was set by name, the pragma reads FULL before the
 * first write and NORMAL after it, and the floor would be fast because it is not durable.
 */
function assertFull(db: Database.Database): void {
  const level = db.pragma("synchronous", { simple: true })
  const journal = db.pragma("journal_mode", { simple: true })
  if (level !== synchronousFull || journal !== "wal") {
    throw new Error(`the floor must run in WAL with synchronous = FULL (2), not ${journal} with ${level}`)
  }
}

function changedOne(result: Database.RunResult): void {
  if (result.changes !== 1) throw new Error("a guard of the hand-written lifecycle did not hold")
}
