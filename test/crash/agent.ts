/**
 * A process that works on a store until it has done its share or is killed. Started by `AgentProcess.ts`; its one argument is its
 * task as JSON. It says `opening` once it is loaded and then waits for a line on stdin, so that several start together.
 */
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { Effect, Layer, ManagedRuntime } from "effect"
import type { Client } from "../../src/runtime/Client.ts"
import type { AgentTask } from "./AgentProcess.ts"
import { Load } from "./Load.ts"
import type { Line } from "./lines.ts"
import { obey } from "./obey.ts"
import { Race } from "./Race.ts"
import { Random } from "./Random.ts"
import { Recording } from "./recording.ts"

/** What was built, as a user runs it: it starts in a third of the time that src takes. */
const built = <M>(path: string): Promise<M> => import(new URL(`../../dist/${path}`, import.meta.url).href)
type Sqlite = typeof import("../../src/adapters/kysely/sqlite.ts")
type Postgres = typeof import("../../src/adapters/kysely/postgres.ts")
type Port = typeof import("../../src/runtime/Journal.ts")
type Runtime = typeof import("../../src/runtime/Governance.ts")
type Embedded = typeof import("../../src/runtime/EmbeddedClient.ts")
type Ids = typeof import("../../src/machines/ids.ts")

/** Known only where points.mjs is loaded. */
const point: (name: string) => void = Reflect.get(globalThis, Symbol.for("handrail.point")) ?? (() => {})

/** Appends that found their workflow moved on by another process. */
let conflicts = 0
const watched = (journal: Port["Journal"]["Service"]): Port["Journal"]["Service"] => ({
  ...journal,
  append: (group) => {
    point("before an append")
    return Effect.map(journal.append(group), (results) => {
      point("after an append, before its answers")
      conflicts += results.filter(({ _tag }) => _tag === "conflict").length
      return results
    })
  },
})

const layerOf = async ({ store, foldAppends, idleMs, busyTimeoutMs, timeoutMs }: AgentTask) => {
  const filename = /^sqlite:(.+)$/.exec(store)?.[1]
  if (filename === undefined) {
    const { postgres } = await built<Postgres>("adapters/kysely/postgres.js")
    const [url = "", schema = ""] = store.split("#")
    return postgres({ url, schema, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  }
  const { sqlite } = await built<Sqlite>("adapters/kysely/sqlite.js")
  return sqlite({
    filename,
    ...(foldAppends === undefined ? {} : { foldAppends }),
    ...(idleMs === undefined ? {} : { idleMs }),
    ...(busyTimeoutMs === undefined ? {} : { busyTimeoutMs }),
  })
}

/** A store that can't be reached yet is tried again: what opens a node is expected to. */
const openTries = 200
const open = async (task: AgentTask): Promise<Client> => {
  const layer = Layer.provide(Layer.effect(Journal, Effect.map(Journal, watched)), await layerOf(task))
  for (let n = 1; ; n++) {
    const runtime = ManagedRuntime.make(Layer.provide(Governance.layer, layer))
    try {
      const governance = await runtime.runPromise(Effect.map(Governance, (it) => it))
      return new EmbeddedClient({
        governance,
        tenant: Tenant.make("default"),
        run: (effect) => runtime.runPromiseExit(effect),
        close: () => runtime.dispose(),
      })
    } catch (error) {
      await runtime.dispose()
      const unavailable = error instanceof Error && "_tag" in error && error._tag === "StorageUnavailable"
      if (!unavailable || n === openTries) throw error
      await sleep(100)
    }
  }
}

/** Written at once and in full: what is said is said, whatever happens next. */
const say = (line: Line): void => {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
    }
  }
}

// What the runtime logs is for people; stdout is for the lines of lines.ts.
console.log = console.error

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const heard = async (): Promise<string> => {
  const { value, done } = await lines.next()
  return done === true ? "" : value
}
process.on("unhandledRejection", (error) => {
  say({ t: "bug", n: -1, text: `unhandled: ${String(error)}` })
  process.exit(3)
})

const { Journal } = await built<Port>("runtime/Journal.js")
const { Governance } = await built<Runtime>("runtime/Governance.js")
const { EmbeddedClient } = await built<Embedded>("runtime/EmbeddedClient.js")
const { Tenant } = await built<Ids>("machines/ids.js")

const task = JSON.parse(process.argv[2] ?? "{}") as AgentTask
say({ t: "opening" })
await heard()
const client = await open(task)
say({ t: "open" })
const random = new Random(task.seed)
if (task.kind === "load") await new Load({ ...task, client, random, say }).run()
else if (task.kind === "obey") await obey(client, say, heard)
else {
  const recording = new Recording(say)
  const race = new Race({ ...task, client, random, record: (asked, call) => recording.call(asked, call) })
  // The next line ends it early.
  heard()
    .then(() => race.stop())
    .catch(() => race.stop())
  await race.run()
}
say({ t: "counts", conflicts })
await client.close()
say({ t: "done" })
process.exit(0)
