/**
 * A process that works on a store until it has done its share or is killed. Started by `AgentProcess.ts`; its one argument is its
 * task as JSON. It says `opening` once it is loaded and then waits for a line on stdin, so that several start together.
 */
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"
import { Effect, Layer, ManagedRuntime } from "effect"
import type { AgentTask } from "./AgentProcess.ts"
import { Load } from "./Load.ts"
import type { Line } from "./lines.ts"
import { obey } from "./obey.ts"
import { Random } from "./Random.ts"

/** What was built, as a user runs it: it starts in a third of the time that src takes. */
const built = <M>(path: string): Promise<M> => import(new URL(`../../dist/${path}`, import.meta.url).href)
type Sqlite = typeof import("../../src/adapters/kysely/sqlite.ts")
type Runtime = typeof import("../../src/runtime/Governance.ts")
type Embedded = typeof import("../../src/runtime/EmbeddedClient.ts")
type Ids = typeof import("../../src/machines/ids.ts")

const open = async ({ filename, foldAppends, idleMs, busyTimeoutMs }: AgentTask) => {
  const layer = sqlite({
    filename,
    ...(foldAppends === undefined ? {} : { foldAppends }),
    ...(idleMs === undefined ? {} : { idleMs }),
    ...(busyTimeoutMs === undefined ? {} : { busyTimeoutMs }),
  })
  const runtime = ManagedRuntime.make(Layer.provide(Governance.layer, layer))
  const governance = await runtime.runPromise(Effect.map(Governance, (it) => it))
  return new EmbeddedClient({
    governance,
    tenant: Tenant.make("default"),
    run: (effect) => runtime.runPromiseExit(effect),
    close: () => runtime.dispose(),
  })
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

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const heard = async (): Promise<string> => {
  const { value, done } = await lines.next()
  return done === true ? "" : value
}
process.on("unhandledRejection", (error) => {
  say({ t: "bug", n: -1, text: `unhandled: ${String(error)}` })
  process.exit(3)
})

const { sqlite } = await built<Sqlite>("adapters/kysely/sqlite.js")
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
else await obey(client, say, heard)
await client.close()
say({ t: "done" })
process.exit(0)
