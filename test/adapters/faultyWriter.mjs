/**
 * A writer of a SQLite file in a process of its own, which dies, freezes or fails at the statement that it is told.
 *
 * It runs the compiled writer, the one that the store's thread runs. Every call into SQLite is a statement; to die or freeze at one
 * that only reads is left out, as it is the same as at the next one that writes. Lines of JSON come in and
 * go out; they go out with a system call each, so that the last of them is not lost when the process ends at once.
 */
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"
import Database from "better-sqlite3"
import { Writer } from "../../dist/adapters/kysely/Writer.js"

const say = (message) => writeSync(1, `${JSON.stringify(message)}\n`)

let armed

const strike = (kind) => {
  armed = undefined
  if (kind === "death") {
    process.kill(process.pid, "SIGKILL")
    // Nothing after this line may run, should the signal take its time.
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
  }
  say({ struck: true })
  if (kind === "freeze") {
    process.kill(process.pid, "SIGSTOP")
    // Here it stands until it is thawed.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    say({ thawed: true })
    return
  }
  throw Object.assign(new Error("a fault was injected into this statement"), { code: "SQLITE_IOERR_WRITE" })
}

const statement = (reads, run) => {
  if (armed === undefined || (reads && armed.kind !== "error") || --armed.statement > 0) return run()
  const { kind, when } = armed
  if (when === "before") strike(kind)
  const result = run()
  if (when === "after") strike(kind)
  return result
}

/** Lets every call of these methods pass through the gate. */
const gate = (prototype, names, reads) => {
  for (const name of names) {
    const original = prototype[name]
    prototype[name] = function (...values) {
      return statement(reads, () => original.apply(this, values))
    }
  }
}
const probe = new Database(":memory:")
const statements = Object.getPrototypeOf(probe.prepare("select 1"))
probe.close()
gate(statements, ["get", "all"], true)
gate(Database.prototype, ["pragma"], true)
gate(statements, ["run"], false)
gate(Database.prototype, ["exec"], false)

let writer
const answer = {
  open: ({ options }) => {
    writer = new Writer(options)
    say({ opened: true })
  },
  arm: ({ fault }) => {
    armed = fault
    say({ armed: true })
  },
  group: ({ group }) => say({ reply: writer.handle(group) }),
  close: () => {
    writer.handle({ kind: "close", id: 0 })
    writer.close()
    process.exit()
  },
}
createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line)
  answer[message.kind](message)
})
