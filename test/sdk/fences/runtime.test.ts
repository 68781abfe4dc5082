/**
 * The whole way: a claimant freezes inside its tool, its handoff is reclaimed, the next claimant does the work with a newer token, and
 * then the frozen one wakes up and writes. Each kind of system refuses it (semantics.md §6).
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import pg from "pg"
import { expect, onTestFinished, test } from "vitest"
import {
  type Fence,
  fencedFetch,
  fencedHandler,
  MemoryFences,
  PostgresFences,
  replaceFile,
  SqliteFences,
  StaleFenceError,
  updateGitRef,
} from "../../../src/fences.ts"
import { dropSchema, freshSchema, postgresUrl } from "../../postgres/database.ts"
import { errorOf, gate, governance, lead, openRuntime, worker } from "../fixtures.ts"

/** Something that agents change. */
interface System {
  write(text: string, fence: Fence): Promise<unknown>
  read(): Promise<string>
}

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "handrail-fenced-"))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const file = async (): Promise<System> => {
  const path = join(folder(), "config")
  return { write: (text, fence) => replaceFile(path, text, fence), read: async () => readFileSync(path, "utf8") }
}

const sqlite = async (): Promise<System> => {
  const database = new Database(":memory:")
  onTestFinished(() => {
    database.close()
  })
  database.exec("create table page (id integer, text text, handrail_fence integer not null default 0)")
  database.exec("insert into page (id) values (1)")
  const fences = new SqliteFences(database)
  return {
    write: async (text, fence) => fences.updateRow({ table: "page", where: { id: 1 }, set: { text } }, fence),
    read: async () => String(database.prepare("select text from page").pluck().get()),
  }
}

const postgres = async (): Promise<System> => {
  const schema = freshSchema()
  const pool = new pg.Pool({ connectionString: postgresUrl })
  onTestFinished(async () => {
    await pool.end()
    await dropSchema(postgresUrl ?? "", schema)
  })
  const fences = new PostgresFences({ table: [schema, "tokens"] })
  await pool.query(`create schema ${schema}; create table ${schema}.page (text text)`)
  await fences.createTable(pool)
  return {
    write: (text, fence) =>
      fences.transaction(pool, [fence], async (connection) => {
        await connection.query(`delete from ${schema}.page`)
        await connection.query(`insert into ${schema}.page values ($1)`, [text])
      }),
    read: async () => String((await pool.query(`select text from ${schema}.page`)).rows[0]?.text),
  }
}

const http = async (): Promise<System> => {
  let page = ""
  const handle = fencedHandler({
    store: new MemoryFences(),
    resources: () => [{ name: "environment", key: "prod" }],
    handle: async (request: Request) => {
      page = await request.text()
      return new Response()
    },
  })
  const service: typeof fetch = (input, init) => handle(new Request(input, init))
  return {
    write: (text, fence) => fencedFetch([fence], service)("http://service/", { method: "PUT", body: text }),
    read: async () => page,
  }
}

const git = async (): Promise<System> => {
  const directory = folder()
  const run = (args: ReadonlyArray<string>, input = "") =>
    execFileSync("git", [...args], { cwd: directory, encoding: "utf8", input }).trim()
  run(["init", "--quiet", "--bare"])
  const ref = "refs/pages/one"
  return {
    write: (text, fence) => updateGitRef({ directory, ref, newId: run(["hash-object", "-w", "--stdin"], text) }, fence),
    read: async () => run(["cat-file", "blob", ref]),
  }
}

const systems = { file, sqlite, postgres, http, git }

test.each(Object.entries(systems))(
  "%s: a claimant that froze in its tool writes nothing when it wakes up",
  async (name, open) => {
    if (name === "postgres" && postgresUrl === undefined) return
    const system = await open()
    const runtime = await openRuntime()
    const team = governance()
    const parent = lead(runtime, team, {})
    await parent.handoff({ toRole: "worker", handoffId: "h1" })
    const started = gate<string>()
    const thawed = gate()
    const refused = gate<unknown>()
    const frozen = worker(
      runtime,
      team,
      {
        // It sees nothing of its signal, as a frozen process does not.
        deploy: async (_: { environment: string }, { fences, stepId }) => {
          started.open(stepId)
          await thawed.opened
          const [own] = fences.filter((fence) => fence.name === "environment")
          refused.open(await errorOf(Promise.resolve(own && system.write("late", own))))
        },
      },
      { autoHeartbeat: false },
    )
    const call = errorOf(frozen.tools.deploy({ environment: "prod" }))
    const stepId = await started.opened
    await parent.reclaim({ handoffId: "h1" })
    // An operator has looked: nothing was written yet. Believing so is the mistake that the token mends.
    await runtime.resolveStep({ workflowId: "w1", stepId, outcome: "aborted", reason: "nothing was written" })
    const next = worker(runtime, team, {
      deploy: async (_: { environment: string }, { fences }) => {
        const [own] = fences.filter((fence) => fence.name === "environment")
        if (own !== undefined) await system.write("new", own)
        return own?.token
      },
    })
    expect(await next.tools.deploy({ environment: "prod" })).toBe(2)
    thawed.open()
    const error = await refused.opened
    expect(error).toBeInstanceOf(StaleFenceError)
    expect(error).toMatchObject({ fence: { name: "environment", key: "prod", token: 1 }, newest: 2 })
    expect(await system.read()).toBe("new")
    expect(await call).toMatchObject({ name: "ReplayKillError" })
  },
)
