/** The store under watch: every call is measured, every failure counted by its reason and told, and nothing of it is changed. */
import { Effect, Exit } from "effect"
import { expect, test } from "vitest"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { Observability } from "../../src/adapters/telemetry/Observability.ts"
import { Tenant, WorkflowId } from "../../src/machines/ids.ts"
import { type Journal, StorageCorrupt, StorageUnavailable } from "../../src/runtime/Journal.ts"
import { parseExposition } from "./fixtures.ts"

type Service = Journal["Service"]

const tenant = Tenant.make("default")
const workflowId = WorkflowId.make("w1")
const idle = {
  governance: {
    gauges: () => ({ actors: 0, waiting: 0, groups: 0, appends: 0, readers: 0 }),
    survey: Effect.die("nobody is asked"),
  },
  run: <A>(effect: Effect.Effect<A>) => Effect.runPromiseExit(effect),
}

const watched = (parts: Partial<Service>) => {
  const lines: Array<string> = []
  const observability = new Observability({ log: { write: (line) => void lines.push(line) } })
  const inner: Service = { ...memoryJournal(makeMemoryStore()), ...parts }
  const read = async (name: string) => parseExposition(await observability.text(idle)).get(name)?.samples
  return { journal: observability.journal(inner), lines, read }
}

test("a failure is counted by its operation and reason, told once, and passed on as it is", async () => {
  const failure = new StorageUnavailable({ detail: "a disk that is full of hunter2", reason: "disk_full" })
  const { journal, lines, read } = watched({ append: () => Effect.fail(failure) })
  for (let index = 0; index < 3; index++) {
    const exit = await Effect.runPromiseExit(journal.append([]))
    expect(Exit.isFailure(exit) && Exit.findErrorOption(exit)).toMatchObject({ value: failure })
  }
  expect((await read("handrail_storage_failures_total"))?.get('{operation="append",reason="disk_full"}')).toBe(3)
  expect((await read("handrail_storage_duration_seconds"))?.get('_count{operation="append"}')).toBe(3)
  // What was not written is no group.
  expect((await read("handrail_commit_group_size"))?.get("_count{}")).toBe(0)
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: "error", message: "the store failed", operation: "append", reason: "disk_full" },
  ])
  expect(lines.join()).not.toContain("hunter2")
})

test("a corrupt row and a defect have reasons of their own", async () => {
  const { journal, read } = watched({
    load: () => Effect.fail(new StorageCorrupt({ detail: "a row that nobody wrote" })),
    lookup: () => Effect.die(new Error("a bug")),
  })
  await Effect.runPromiseExit(journal.load(tenant, workflowId))
  await Effect.runPromiseExit(journal.lookup(tenant, workflowId, {}))
  const failures = await read("handrail_storage_failures_total")
  expect(failures?.get('{operation="load",reason="corrupt"}')).toBe(1)
  expect(failures?.get('{operation="lookup",reason="defect"}')).toBe(1)
})

test("a call that nobody waits for any more is no failure", async () => {
  const { journal, read, lines } = watched({ load: () => Effect.never })
  await Effect.runPromiseExit(Effect.timeoutOption(journal.load(tenant, workflowId), 1))
  expect((await read("handrail_storage_duration_seconds"))?.get('_count{operation="load"}')).toBe(1)
  expect((await read("handrail_storage_failures_total"))?.size).toBe(0)
  expect(lines).toEqual([])
})

test("a runtime that can't be surveyed still tells what it has counted", async () => {
  const { journal, read } = watched({})
  await Effect.runPromise(journal.nextWake)
  expect((await read("handrail_storage_duration_seconds"))?.get('_count{operation="next_wake"}')).toBe(1)
  expect(await read("handrail_active_workflows")).toBeUndefined()
})
