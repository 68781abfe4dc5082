/**
 * The hand-written lifecycle on Postgres: what somebody would write who needs just this job and nothing else. It is the floor
 * that the runtime on Postgres is measured against, in the same run (architecture.md, "Speed: what the hardware allows").
 *
 * The same two tables and four transitions as in `floor.ts`, with nothing to gather them: each transition of each lifecycle is
 * one statement and one transaction, a guarded write whose row count is checked, with its event insert in the same statement.
 * Prepared statements, no index but the keys, a commit that waits for the disk.
 *
 * Nothing here may be made slower: a slower floor flatters every ratio. That is why its pool is twenty lines of its own, open
 * before the load begins, and why the events are numbered here, which one process
 * can. Tried, without a gain beyond the noise: fewer connections, a fill factor that leaves room for updates in place.
 */
import pg from "pg"
import type { Schema } from "./postgres.ts"
import type { Contest, Opened } from "./subject.ts"

const eventBodyBytes = 200
const maxConnections = 64

const offered = 0
const claimed = 1
const completed = 2

const owner = 7
const initialBudget = 100
const stepCost = 1

/** The lifecycle as the load drives it: as many connections as clients, 64 at most. */
export async function handwritten(place: Schema, clients: number): Promise<Opened> {
  const tables = await openTables(place, clients)
  let lastId = 0
  return {
    lifecycle: async () => {
      const id = ++lastId
      await tables.changeOne(tables.offer, [id])
      await tables.changeOne(tables.claim, [id, owner])
      await tables.changeOne(tables.step, [id, owner])
      await tables.changeOne(tables.done, [id, owner])
    },
    close: tables.close,
  }
}

/** Many claimants for one handoff: the guard lets one through, and the others wait for its commit to learn that it did. */
export async function handwrittenContest(place: Schema, claimants: number): Promise<Contest> {
  const tables = await openTables(place, claimants)
  let lastId = 0
  return {
    next: async () => {
      const id = ++lastId
      await tables.changeOne(tables.offer, [id])
      return Array.from({ length: claimants }, (_, claimant) => async () => {
        return (await tables.change(tables.claim, [id, claimant])) === 1
      })
    },
    close: tables.close,
  }
}

interface Transition {
  readonly name: string
  readonly text: string
}

interface Tables {
  readonly offer: Transition
  readonly claim: Transition
  readonly step: Transition
  readonly done: Transition
  /** Answers how many handoffs the transition changed. */
  change(transition: Transition, values: readonly number[]): Promise<number>
  /** The same, where the guard must hold. */
  changeOne(transition: Transition, values: readonly number[]): Promise<void>
  close(): Promise<void>
}

async function openTables({ url, schema }: Schema, clients: number): Promise<Tables> {
  const pool = await openPool(url, Math.min(clients, maxConnections))
  const handoffs = `${schema}.handoffs`
  const events = `${schema}.events`
  await pool.query(`
    create table ${handoffs} (
      id bigint primary key, state smallint not null, owner bigint not null, fence integer not null,
      budget integer not null);
    create table ${events} (
      sequence bigint primary key, handoff bigint not null, kind smallint not null, body bytea not null)`)

  /** `$1` is the sequence of the event and `$2` its body; what the guarded write needs comes after them. */
  const transition = (name: string, kind: number, guardedWrite: string): Transition => ({
    name,
    text: `with changed as (${guardedWrite} returning id)
      insert into ${events} (sequence, handoff, kind, body) select $1::bigint, id, ${kind}, $2::bytea from changed`,
  })
  const holds = `id = $3 and state = ${claimed} and owner = $4 and fence = 1`
  const body = Buffer.alloc(eventBodyBytes, "x")
  let sequence = 0
  const change: Tables["change"] = async ({ name, text }, values) => {
    const { rowCount } = await pool.query({ name, text, values: [++sequence, body, ...values] })
    return rowCount ?? 0
  }
  return {
    offer: transition("offer", 0, `insert into ${handoffs} values ($3, ${offered}, 0, 0, ${initialBudget})`),
    claim: transition(
      "claim",
      1,
      `update ${handoffs} set state = ${claimed}, owner = $4, fence = fence + 1 where id = $3 and state = ${offered}`,
    ),
    step: transition(
      "step",
      2,
      `update ${handoffs} set budget = budget - ${stepCost} where ${holds} and budget >= ${stepCost}`,
    ),
    done: transition("done", 3, `update ${handoffs} set state = ${completed} where ${holds}`),
    change,
    changeOne: async (step, values) => {
      if ((await change(step, values)) !== 1) throw new Error("a guard of the hand-written lifecycle did not hold")
    },
    close: pool.close,
  }
}

interface Pool {
  query(statement: string | pg.QueryConfig): Promise<pg.QueryResult>
  close(): Promise<void>
}

/** All connections are open from the beginning, and whoever waits for one gets the next that is free. */
async function openPool(url: string, size: number): Promise<Pool> {
  const connections = await Promise.all(
    Array.from({ length: size }, async () => {
      const connection = new pg.Client({ connectionString: url })
      await connection.connect()
      return connection
    }),
  )
  const free = [...connections]
  const waiting: Array<(connection: pg.Client) => void> = []
  return {
    query: async (statement) => {
      const connection = free.pop() ?? (await new Promise<pg.Client>((resolve) => waiting.push(resolve)))
      try {
        return await connection.query(statement)
      } finally {
        const next = waiting.shift()
        if (next === undefined) free.push(connection)
        else next(connection)
      }
    },
    close: async () => {
      await Promise.all(connections.map((connection) => connection.end()))
    },
  }
}
