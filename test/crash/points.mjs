/**
 * Named points of the write path, at which a process kills itself. Loaded before everything else into a process under test and
 * into its threads (`NODE_OPTIONS=--import`), so that nothing of it is in what users run.
 *
 * It stands between the store and its driver: before and after each statement that writes, whichever thread runs it. Each point
 * that is reached for the first time is said on file descriptor 3, one a line; `HANDRAIL_KILL_AT=name#n` ends the process with
 * SIGKILL when that point is reached for the nth time.
 */
import { writeSync } from "node:fs"
import { createRequire } from "node:module"
import { isMainThread } from "node:worker_threads"

const require = createRequire(import.meta.url)
const [wanted, nth] = (process.env.HANDRAIL_KILL_AT ?? "#0").split("#")
const counts = new Map()

/** @param {string} name */
const hit = (name) => {
  const count = (counts.get(name) ?? 0) + 1
  counts.set(name, count)
  const fatal = name === wanted && count === Number(nth)
  if (count === 1 || fatal) writeSync(3, `${fatal ? "killed at" : "reached"} ${name}\n`)
  if (!fatal) return
  process.kill(process.pid, "SIGKILL")
  // Nothing more may happen, however long the signal takes.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
// How often each was passed, for whoever wants to choose one of those times.
process.on("exit", () => {
  for (const [name, count] of counts) writeSync(3, `passed ${count} ${name}\n`)
})
// For the points that are not the driver's: agent.ts.
globalThis[Symbol.for("handrail.point")] = hit

const writes =
  /^(insert into|update|delete from|create unique index|create table|create index|create schema|begin|commit|savepoint|release|pragma journal_mode)\b(?: if not exists)?\s*([\w.]+)?/

/** What is in the transaction that is open, so that a commit says what it commits. */
let within = new Set()

/** @param {string} sql */
const nameOf = (sql) => {
  const [, verb, object] = writes.exec(sql.trim().toLowerCase().replaceAll('"', "")) ?? []
  if (verb === undefined) return undefined
  // Each store has a schema of its own; its name is no part of a point's.
  const table = verb === "create schema" ? "" : (object?.split(".").at(-1) ?? "")
  if (verb === "begin") within = new Set()
  if (verb.startsWith("create") || table === "kysely_migration") within.add("migration")
  if (verb === "insert into" && table === "journal") within.add("append")
  if (verb === "delete from" && table === "pending") within.add("fold")
  if (verb === "commit") return within.size === 0 ? undefined : `commit of ${[...within].sort().join(" and ")}`
  if (verb === "begin") return isMainThread ? "begin of a migration" : "begin"
  return `${verb} ${table}`.trim()
}

/**
 * @template {(...args: never[]) => unknown} F
 * @param {object} target @param {string} method @param {(self: { source: string }, args: unknown[]) => string} sqlOf
 */
const around = (target, method, sqlOf) => {
  const original = target[method]
  target[method] = function (...args) {
    const name = nameOf(sqlOf(this, args))
    if (name === undefined) return original.apply(this, args)
    hit(`before ${name}`)
    const result = original.apply(this, args)
    hit(`after ${name}`)
    return result
  }
}

const Database = require("better-sqlite3")
const memory = new Database(":memory:")
const statement = Object.getPrototypeOf(memory.prepare("select 1"))
memory.close()
for (const method of ["run", "get", "all"]) around(statement, method, (self) => self.source)
around(Database.prototype, "exec", (_, [sql]) => sql)

if (isMainThread) {
  const { Client } = require("pg")
  const query = Client.prototype.query
  Client.prototype.query = function (config, ...rest) {
    if (typeof config?.submit === "function") {
      pipeline(config)
      return query.call(this, config, ...rest)
    }
    const name = nameOf(typeof config === "string" ? config : (config?.text ?? ""))
    if (name !== undefined) hit(`before ${name}`)
    const result = query.call(this, config, ...rest)
    if (name !== undefined && typeof result?.then === "function") return result.finally(() => hit(`after ${name}`))
    return result
  }
}

/** An append to Postgres: one message, sent whole; then the server commits by itself, whoever still listens. */
const pipeline = (message) => {
  const { submit, handleReadyForQuery } = message
  message.submit = function (connection) {
    hit("before the pipeline is sent")
    submit.call(this, connection)
    hit("after the pipeline is sent")
  }
  message.handleReadyForQuery = function (...args) {
    hit("before the pipeline's answer is taken")
    handleReadyForQuery.apply(this, args)
    hit("after the pipeline's answer is taken")
  }
}
