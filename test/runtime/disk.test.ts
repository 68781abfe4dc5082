/** A store that can't write fails the commands that need it, typed and retryable, and goes on when it can again (I7). */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import { Effect } from "effect"
import { expect, it, onTestFinished } from "vitest"
import { sqlite } from "../../src/adapters/kysely/sqlite.ts"
import { StorageUnavailable } from "../../src/runtime/Journal.ts"
import { verifyTenant } from "../../src/runtime/verify.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { call, codeOf, createRoot, nothingUnhandled, opened, placed, refusal } from "./fixtures.ts"
import { memoryPlace, sqlitePlace, tenant } from "./open.ts"
import { VirtualClock } from "./VirtualClock.ts"

it("while another holds the lock commands are storage_unavailable, and nothing of them is written", async () => {
  nothingUnhandled()
  const place = placed(sqlitePlace)
  const { client, governance, run } = await opened(place.layer({ busyTimeoutMs: 20 }))
  const root = await createRoot(client)
  const other = new Database(place.filename ?? "")
  other.exec("begin immediate")
  const errors = await Promise.all([1, 2, 3].map((n) => refusal(root.propose(call({ arguments: { n } })))))
  for (const error of errors) {
    expect(error.code).toBe("storage_unavailable")
    expect(error.retryable).toBe(true)
    expect(error.facts.reason).toBe("busy")
  }
  // Asking the workflow needs no lock; only a listing may, where something is not folded yet.
  expect((await client.getSession(root.sessionId)).seq).toBe(1)
  other.exec("rollback")
  other.close()
  expect(await codeOf(root.propose(call()))).toBe("ok")
  expect((await client.getWorkflow("w1")).seq).toBe(2)
  expect((await run(verifyTenant(governance.journal, tenant))).problems).toEqual([])
})

it("a file that is locked while it is opened is storage_unavailable, and opens later", async () => {
  nothingUnhandled()
  const place = placed(sqlitePlace)
  const other = new Database(place.filename ?? "")
  other.exec("begin exclusive")
  const store = `sqlite:${place.filename}`
  expect(await codeOf(Handrail.open({ store, busyTimeoutMs: 20 }))).toBe("storage_unavailable")
  other.exec("rollback")
  other.close()
  const runtime = await Handrail.open({ store })
  await runtime.close()
})

it("a command that waits behind a deadline which can't be written is told so, and not tried for ever", async () => {
  nothingUnhandled()
  const place = placed(memoryPlace)
  const clock = new VirtualClock()
  const first = await opened(place.layer(), { clock })
  const root = await createRoot(first.client)
  await root.handoff({ toRole: "dev", handoffId: "h1", summary: {} })
  await first.client.close()
  clock.now += 60_000
  let broken = true
  let appends = 0
  const { client } = await opened(place.layer(), {
    clock,
    wrap: (journal) => ({
      ...journal,
      append: (group) => {
        appends += 1
        // More than any reasonable patience: a test that hangs says less than one that fails.
        if (appends > 1000) broken = false
        return broken
          ? Effect.fail(new StorageUnavailable({ reason: "disk_full", detail: "the disk is full" }))
          : journal.append(group)
      },
    }),
  })
  // The key has to be looked up, and that has to wait for the offer that expires in the same moment.
  const claim = { workflowId: "w1", handoffId: "h1", parentSessionId: root.sessionId, role: "dev", agent: "d" }
  expect(await codeOf(client.claim(claim, { idempotencyKey: "k1" }))).toBe("storage_unavailable")
  broken = false
  expect(await codeOf(client.claim(claim, { idempotencyKey: "k1" }))).toBe("handoff_closed")
})

it("a disk that grew full and is freed again", async (context) => {
  nothingUnhandled()
  const directory = mkdtempSync(join(tmpdir(), "handrail-disk-"))
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", directory])
  onTestFinished(() => {
    if (mounted.status === 0) spawnSync("umount", ["-l", directory])
    rmSync(directory, { recursive: true, force: true })
  })
  if (mounted.status !== 0) context.skip("a small disk can't be mounted here: mount needs to be allowed to")
  const filename = join(directory, "store.db")
  const { client, governance, run } = await opened(sqlite({ filename }))
  const root = await createRoot(client)
  const ballast = join(directory, "ballast")
  const { bavail, bsize } = statfsSync(directory)
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 300_000)))

  const told: Array<string> = []
  let refused: Awaited<ReturnType<typeof refusal>> | undefined
  for (let n = 0; n < 200 && refused === undefined; n++) {
    const sent = root.propose(call({ arguments: { text: "x".repeat(20_000), n } }))
    const code = await codeOf(sent)
    if (code === "ok") told.push((await sent)[0]?.stepId ?? "")
    else refused = await refusal(sent)
  }
  expect(refused?.code).toBe("storage_unavailable")
  expect(refused?.retryable).toBe(true)
  expect(told.length).toBeGreaterThan(0)
  expect((await client.getSession(root.sessionId)).steps.map((step) => step.stepId)).toEqual(told)
  rmSync(ballast)
  expect(await codeOf(root.propose(call()))).toBe("ok")
  expect((await run(verifyTenant(governance.journal, tenant))).problems).toEqual([])
  expect((await client.getSession(root.sessionId)).steps).toHaveLength(told.length + 1)
})
