/** What `doctor` looks at: each check is a line with `ok`, `warn` or `fail`, and what to do about it. Judging is pure. */
import { stat, statfs } from "node:fs/promises"
import { dirname } from "node:path"
import { Effect } from "effect"
import { isLive } from "../adapters/http/auth/Keys.ts"
import type { Inspection } from "../adapters/kysely/inspect.ts"
import { Tenant } from "../machines/ids.ts"
import { durationText } from "../testing/check/durations.ts"
import { withJournal } from "./journal.ts"
import { refusalOf } from "./refusals.ts"
import { openKeys, pathOf, type StoreChoice } from "./store.ts"

export type Level = "ok" | "warn" | "fail"
export interface Check {
  readonly level: Level
  readonly name: string
  readonly text: string
}

const check = (level: Level, name: string, text: string): Check => ({ level, name, text })

// ---- judging ----

const oldestNode = [20, 19] as const

export const judgeVersions = (handrail: string, node: string): Check => {
  const [major = 0, minor = 0] = node.split(".").map(Number)
  const isRecent = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])
  const text = `handrail ${handrail} on Node ${node}`
  return isRecent
    ? check("ok", "version", text)
    : check("fail", "version", `${text}: Node ${oldestNode.join(".")} or later is needed`)
}

export const judgeMigrations = ({ executed, known }: Pick<Inspection, "executed" | "known">): Check => {
  const newer = executed.filter((name) => !known.includes(name))
  if (newer.length > 0)
    return check("fail", "migrations", `written by a newer version of Handrail (${newer.join(", ")}): use that version`)
  const missing = known.length - executed.length
  const text = `${executed.length} of ${known.length}`
  return missing === 0
    ? check("ok", "migrations", text)
    : check("warn", "migrations", `${text}: the next server that opens the store runs the others`)
}

const skewWarnMs = 1000
const skewFailMs = 60_000

/** `ahead` is how far this machine's clock is ahead of the other one; `within` is how exactly that is known. */
export const judgeClock = (ahead: number, within: number, other: string): Check => {
  const off = Math.max(0, Math.abs(ahead) - within)
  const level = off > skewFailMs ? "fail" : off > skewWarnMs ? "warn" : "ok"
  if (level === "ok")
    return check("ok", "clock", `as ${other} has it, within ${durationText(Math.max(1, Math.ceil(within)))}`)
  const text = `${durationText(Math.round(off))} ${ahead > 0 ? "ahead of" : "behind"} ${other}`
  return check(level, "clock", `${text}: leases and timeouts are off by as much; run a time service`)
}

/** A file has no clock of its own, but what was written into it has a time. */
export const judgeNewest = (newest: number | undefined, now: number): Check =>
  newest === undefined || newest <= now + skewWarnMs
    ? check("ok", "clock", "nothing in the store is from the future")
    : check(
        "warn",
        "clock",
        `the newest workflow is from ${durationText(newest - now)} in the future: this clock is behind the one that wrote it`,
      )

const gib = 1024 ** 3
const mib = 1024 ** 2
const size = (bytes: number): string =>
  bytes >= gib ? `${(bytes / gib).toFixed(1)} GiB` : `${(bytes / mib).toFixed(1)} MiB`

export const judgeDisk = (free: number): Check => {
  const text = `${size(free)} free`
  if (free < 100 * mib) return check("fail", "disk", `${text}: make room before writes are refused`)
  return free < gib ? check("warn", "disk", `${text}: make room soon`) : check("ok", "disk", text)
}

/** A running server fires a deadline within seconds. */
const overdueMs = 60_000

export const judgeDeadlines = (nextWake: number | null, now: number): Check => {
  if (nextWake === null) return check("ok", "deadlines", "none is set")
  if (nextWake >= now - overdueMs) return check("ok", "deadlines", "none is overdue")
  return check(
    "warn",
    "deadlines",
    `one is overdue by ${durationText(now - nextWake)}: no server or runtime is working on this store`,
  )
}

export const judgeKeys = (all: number, live: number): Check => {
  if (all === 0) return check("warn", "keys", "none was made: a server needs none, and listens on loopback only")
  return live === 0
    ? check("warn", "keys", `none of ${all} is valid: nobody can reach a server`)
    : check("ok", "keys", `${live} of ${all} valid`)
}

// ---- looking ----

const timeoutMs = 10_000

/** What is looked at, in order; a store that can't be read ends it. */
export const checkStore = async (choice: StoreChoice): Promise<ReadonlyArray<Check>> => {
  const path = pathOf(choice.store)
  const before = Date.now()
  const inspection = await attempt("store", () => inspect(choice, path))
  if ("level" in inspection) return [inspection]
  const spent = Date.now() - before
  const checks: Array<Check> = [await storeCheck(inspection, path), judgeMigrations(inspection)]
  if (path !== undefined) {
    const disk = await attempt("disk", () => statfs(dirname(path)))
    checks.push("level" in disk ? disk : judgeDisk(disk.bavail * disk.bsize))
  }
  if (inspection.now !== null) checks.push(judgeClock(before + spent / 2 - inspection.now, spent / 2, "the database"))
  // The rest opens the store, which would migrate it.
  if (inspection.executed.length !== inspection.known.length) return checks
  const keys = await attempt("keys", () => keyCheck(choice))
  if (path !== undefined)
    checks.push(
      await attempt("clock", () =>
        withJournal(choice, (journal) =>
          Effect.map(journal.listWorkflows(Tenant.make("default"), { limit: 1 }), ({ items }) =>
            judgeNewest(items[0]?.createdAt, Date.now()),
          ),
        ),
      ),
    )
  const wake = await attempt("deadlines", () =>
    withJournal(choice, (journal) => Effect.map(journal.nextWake, (at) => judgeDeadlines(at, Date.now()))),
  )
  return [...checks, keys, wake]
}

const inspect = async (choice: StoreChoice, path: string | undefined): Promise<Inspection> => {
  const { inspectPostgres, inspectSqlite } = await import("../adapters/kysely/inspect.ts")
  return path === undefined
    ? inspectPostgres(choice.store, choice.schema ?? "handrail", timeoutMs)
    : inspectSqlite(path)
}

const storeCheck = async ({ database, writable }: Inspection, path: string | undefined): Promise<Check> => {
  const text = path === undefined ? database : `${database}, ${path}, ${size((await stat(path)).size)}`
  return writable ? check("ok", "store", text) : check("fail", "store", `${text}: it can't be written`)
}

const keyCheck = async (choice: StoreChoice): Promise<Check> => {
  const keys = await openKeys(choice)
  try {
    const all = await keys.list()
    return judgeKeys(all.length, all.filter((key) => isLive(key, Date.now())).length)
  } finally {
    await keys.close()
  }
}

/** Whatever the world outside does to a check is its result. A bug is thrown on. */
const attempt = async <A>(name: string, look: () => Promise<A>): Promise<A | Check> => {
  try {
    return await look()
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal !== undefined) return check("fail", name, refusal.detail)
    if (error instanceof Error && "code" in error) return check("fail", name, error.message)
    throw error
  }
}

/** Of a server: whether it answers, what its clock says, and whether it takes the key. */
export const checkServer = async (url: string, list: () => Promise<unknown>): Promise<ReadonlyArray<Check>> => {
  const before = Date.now()
  let response: Response
  try {
    response = await fetch(new URL("readyz", url.endsWith("/") ? url : `${url}/`), {
      signal: AbortSignal.timeout(timeoutMs),
    })
  } catch {
    return [check("fail", "server", `${url} does not answer`)]
  }
  const spent = Date.now() - before
  const checks: Array<Check> = [
    response.ok
      ? check("ok", "server", `${url} is ready`)
      : check("fail", "server", `${url} is not ready (${response.status}): its store may be away`),
  ]
  const date = Date.parse(response.headers.get("date") ?? "")
  // The header has whole seconds, cut off.
  if (!Number.isNaN(date)) checks.push(judgeClock(before + spent / 2 - (date + 500), spent / 2 + 500, "the server"))
  checks.push(
    await attempt("key", async () => {
      await list()
      return check("ok", "key", "it may read workflows")
    }),
  )
  return checks
}
