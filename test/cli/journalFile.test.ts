/** Export, import and verify: a workflow arrives in another store as it was, and nothing that is not whole arrives at all. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Database from "better-sqlite3"
import { Effect } from "effect"
import { describe, expect, test, vi } from "vitest"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { exportWorkflow } from "../../src/cli/exportWorkflow.ts"
import { importWorkflow } from "../../src/cli/importWorkflow.ts"
import { JournalFileReader } from "../../src/cli/journalFile.ts"
import { sha256Hex } from "../../src/definition/index.ts"
import { Tenant, WorkflowId } from "../../src/machines/ids.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { dropSchema, freshSchema, postgresUrl } from "../postgres/database.ts"
import { directoryOf, handrail, here, seed, teamYaml } from "./command.ts"

vi.setConfig({ testTimeout: 120_000 })

const tenant = Tenant.make("default")

/** Through the port alone, on a store that is no database. */
const exported = async (): Promise<ReadonlyArray<string>> => {
  const store = makeMemoryStore()
  const runtime = await Handrail.open({ store })
  const lead = await runtime.createRoot({
    workflowId: "wf-1",
    role: "lead",
    agent: "a",
    sessionId: "lead-1",
    definition: teamYaml,
  })
  await lead.handoff(
    { toRole: "worker", handoffId: "job-1", summary: { text: 'é\u2028"\\ \n' } },
    { idempotencyKey: "k1" },
  )
  await runtime.close()
  const lines: Array<string> = []
  const source = { tenant, workflowId: WorkflowId.make("wf-1") }
  await Effect.runPromise(exportWorkflow(memoryJournal(store), source, (line) => lines.push(line), 0))
  return lines
}

const read = (lines: ReadonlyArray<string>) => {
  const reader = new JournalFileReader()
  for (const [index, line] of lines.entries())
    reader.line(line, () =>
      sha256Hex(
        lines
          .slice(0, index)
          .map((one) => `${one}\n`)
          .join(""),
      ),
    )
  return reader.finish()
}

describe("an export", () => {
  test("goes on in another store where it was, with what its idempotency keys replay (I8, I9)", async () => {
    const append = read(await exported())
    const store = makeMemoryStore()
    const journal = memoryJournal(store)
    await Effect.runPromise(importWorkflow(journal, { ...append, tenant }))
    const runtime = await Handrail.open({ store })
    const again = { sessionId: "lead-1", toRole: "worker", handoffId: "job-1", summary: { text: 'é\u2028"\\ \n' } }
    expect(await runtime.offer(again, { idempotencyKey: "k1" })).toMatchObject({ handoffId: "job-1", seq: 2 })
    expect(await runtime.offer({ sessionId: "lead-1", toRole: "worker", handoffId: "job-2" })).toMatchObject({ seq: 3 })
    // Its lease runs on, too.
    expect(await Effect.runPromise(journal.nextWake)).toBeGreaterThan(0)
    await runtime.close()
    await expect(Effect.runPromise(importWorkflow(journal, { ...append, tenant }))).rejects.toThrow("wf-1 already")
  })

  test("is refused where any of its lines is changed, gone, doubled or in another place", async () => {
    const lines = await exported()
    expect(lines).toHaveLength(5)
    expect(read(lines).entries).toHaveLength(2)
    for (const [index, line] of lines.entries()) {
      const without = lines.toSpliced(index, 1)
      expect(() => read(without), `without line ${index + 1}`).toThrow("no whole export")
      expect(() => read(lines.toSpliced(index, 0, line)), `line ${index + 1} twice`).toThrow("no whole export")
      // One character of it: a digit, and where there is none a letter.
      for (const place of [line.search(/\d/), line.lastIndexOf("e"), line.length - 3]) {
        const changed = line.slice(0, place) + (line[place] === "7" ? "8" : "7") + line.slice(place + 1)
        expect(() => read(lines.with(index, changed)), `line ${index + 1}: ${changed.slice(0, 200)}`).toThrow()
      }
      if (index > 0) expect(() => read(lines.with(index, lines[index - 1] ?? "").with(index - 1, line))).toThrow()
    }
    expect(() => read([])).toThrow("ends too early")
    expect(() => read(["{}"])).toThrow("line 1: it is not the header of an export")
  })

  test("whose session exists in another workflow of the store is refused, and nothing is written", async () => {
    const append = read(await exported())
    const store = makeMemoryStore()
    const runtime = await Handrail.open({ store })
    await runtime.createRoot({
      workflowId: "wf-2",
      role: "lead",
      agent: "a",
      sessionId: "lead-1",
      definition: teamYaml,
    })
    await runtime.close()
    const journal = memoryJournal(store)
    await expect(Effect.runPromise(importWorkflow(journal, { ...append, tenant }))).rejects.toThrow(
      "session lead-1 already",
    )
    expect((await Effect.runPromise(journal.listWorkflows(tenant, { limit: 10 }))).items).toHaveLength(1)
  })
})

test("files go from store to store by the command, and a pipe does", async () => {
  const cwd = directoryOf({})
  const a = `sqlite:${join(cwd, "a.db")}`
  const b = `sqlite:${join(cwd, "b.db")}`
  await seed(a)
  const file = join(cwd, "wf-1.jsonl")
  expect(await here(["export", "wf-1", "-o", file, "--store", a])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^5 events/),
  })
  expect(await here(["export", "wf-1", "-o", file, "--store", a])).toMatchObject({
    code: 1,
    err: expect.stringContaining("file_exists: "),
  })
  const piped = handrail(["import", "--store", b], { input: handrail(["export", "wf-1", "--store", a]).out })
  expect(piped).toEqual({ code: 0, out: "5 events of wf-1 imported and verified.\n", err: "" })
  expect(await here(["import", file, "--store", b])).toMatchObject({
    code: 1,
    err: expect.stringContaining("workflow_exists: "),
  })
  // Cut off in the middle of a line.
  writeFileSync(file, readFileSync(file).subarray(0, -100))
  expect(await here(["import", file, "--store", `sqlite:${join(cwd, "c.db")}`])).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("export_invalid: "),
  })
})

describe("verify", () => {
  test("finds what was changed behind its back, and lists it", async () => {
    const path = join(directoryOf({}), "handrail.db")
    const store = `sqlite:${path}`
    await seed(store)
    expect(await here(["verify", "--store", store])).toEqual({
      code: 0,
      out: "ok 1 workflow, 5 events: everything holds.\n",
      err: "",
    })
    const db = new Database(path)
    db.prepare("update handoffs set status = 'expired' where handoff_id = 'job-2'").run()
    db.close()
    const found = await here(["verify", "wf-1", "--store", store])
    expect(found.out).toMatch(/^default +wf-1 +The row of handoff job-2 does not follow from the events\.$/m)
    expect(found.code).toBe(1)
    const json = JSON.parse((await here(["verify", "--store", store, "--json"])).out)
    expect(json).toMatchObject({
      ok: false,
      workflows: 1,
      problems: [{ tenant: "default", workflow_id: "wf-1", seq: null }],
    })
    expect(await here(["verify", "nope", "--store", store])).toMatchObject({ code: 1 })
  })

  test("of a file that is none is a refusal", async () => {
    const path = join(directoryOf({ "x.db": "this is no database, and long enough to be looked at as one" }), "x.db")
    const { code, err } = await here(["verify", "--store", `sqlite:${path}`])
    expect([code, err]).toEqual([1, expect.stringContaining("storage_corrupt: ")])
  })
})

test.skipIf(postgresUrl === undefined)(
  "Postgres is verified, examined, exported and imported the same way",
  async () => {
    const url = postgresUrl ?? ""
    const schema = freshSchema()
    try {
      const at = ["--store", url, "--schema", schema]
      expect(await here(["doctor", ...at])).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^warn +migrations +0 of /m),
      })
      await seed(url, { schema })
      expect((await here(["verify", ...at])).out).toBe("ok 1 workflow, 5 events: everything holds.\n")
      expect((await here(["keys", "create", "dana", "--scopes", "read", "--tenant", "acme", ...at])).out).toMatch(
        /^hrk_/,
      )
      const doctor = await here(["doctor", ...at])
      expect(doctor.out).toMatch(/^ok +store +PostgreSQL \d+/m)
      expect(doctor.out).toMatch(/^ok +clock +as the database has it/m)
      const file = join(directoryOf({}), "wf-1.jsonl")
      await here(["export", "wf-1", "-o", file, ...at])
      const imported = await here(["import", file, "--tenant", "acme", ...at])
      expect(imported).toEqual({ code: 0, out: "5 events of wf-1 imported and verified.\n", err: "" })
      expect((await here(["verify", ...at])).out).toBe("ok 2 workflows, 10 events: everything holds.\n")
    } finally {
      await dropSchema(url, schema)
    }
  },
)
