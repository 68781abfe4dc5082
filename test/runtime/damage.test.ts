/** A row that nobody ever wrote is reported as what it is, with its place; other workflows do not notice (I9). */
import { createHash } from "node:crypto"
import Database from "better-sqlite3"
import { Effect } from "effect"
import { expect, it } from "vitest"
import type { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import type { Entry } from "../../src/runtime/Journal.ts"
import { verifyTenant } from "../../src/runtime/verify.ts"
import { call, codeOf, createRoot, nothingUnhandled, opened, placed, refusal } from "./fixtures.ts"
import { memoryPlace, sqlitePlace, tenant } from "./open.ts"

const work = async (client: EmbeddedClient, workflowId: string, steps: number): Promise<void> => {
  const root = await createRoot(client, workflowId)
  for (let n = 0; n < steps; n++) await root.propose(call({ arguments: { n } }))
}
const rehashed = (db: Database.Database, seq: number, text: string): void => {
  const previous = db
    .prepare("select hash from journal where workflow_id = 'w1' and seq = ?")
    .pluck()
    .get(seq - 1)
  const hash = createHash("sha256")
    .update(`${String(previous)}${text}`)
    .digest("hex")
  db.prepare("update journal set event = ?, hash = ? where workflow_id = 'w1' and seq = ?").run(text, hash, seq)
}

const cases: ReadonlyArray<
  readonly [what: string, seq: number | undefined, steps: number, spoil: (db: Database.Database) => void]
> = [
  [
    "an event whose text was changed",
    3,
    5,
    (db) =>
      db.exec("update journal set event = replace(event, '\"n\":1', '\"n\":7') where workflow_id = 'w1' and seq = 3"),
  ],
  ["an event that is gone", 4, 5, (db) => db.exec("delete from journal where workflow_id = 'w1' and seq = 4")],
  ["an event that is no JSON, with a hash that fits", 6, 5, (db) => rehashed(db, 6, "{no json")],
  [
    "an event that does not fold, with a hash that fits",
    6,
    5,
    (db) =>
      rehashed(
        db,
        6,
        `{"seq":6,"at":1,"actor":"x","body":{"_tag":"session.completed","sessionId":"nobody","handoffId":null}}`,
      ),
  ],
  [
    "a hash that was changed",
    2,
    5,
    (db) => db.exec(`update journal set hash = '${"0".repeat(64)}' where workflow_id = 'w1' and seq = 2`),
  ],
  [
    "a definition that was changed",
    undefined,
    2,
    (db) =>
      db.exec(
        "update definitions set text = replace(text, 'team', 'mob') where hash = (select definition_hash from workflows where workflow_id = 'w1')",
      ),
  ],
  [
    "a definition that is gone",
    undefined,
    2,
    (db) =>
      db.exec("delete from definitions where hash = (select definition_hash from workflows where workflow_id = 'w1')"),
  ],
  ["a snapshot that is no JSON", 256, 300, (db) => db.exec("update snapshots set text = '{' where workflow_id = 'w1'")],
  [
    "a snapshot of a version to come",
    256,
    300,
    (db) =>
      db.exec(
        "update snapshots set text = replace(text, '\"version\":2,', '\"version\":99,') where workflow_id = 'w1'",
      ),
  ],
]

it.each(cases)("%s is storage_corrupt, and says where", async (_, seq, steps, spoil) => {
  nothingUnhandled()
  const place = placed(sqlitePlace)
  const first = await opened(place.layer())
  await work(first.client, "w1", steps)
  const other = `schema_version: "1.0"\nworkflow: other\nroles: [{ name: lead, root: true }]\n`
  const healthy = await createRoot(first.client, "w2", other)
  await healthy.propose({ calls: [{ tool: "x" }] })
  await first.client.close()
  const db = new Database(place.filename ?? "")
  spoil(db)
  db.close()

  const { client, governance, run } = await opened(place.layer())
  for (let time = 0; time < 2; time++) {
    const error = await refusal(client.getWorkflow("w1"))
    expect(error.code).toBe("storage_corrupt")
    expect(error.facts.workflowId).toBe("w1")
    expect(error.facts.seq).toBe(seq)
    expect(error.retryable).toBe(false)
  }
  expect(await codeOf(client.propose({ sessionId: "w1-root", ...call() }))).toBe("storage_corrupt")
  expect(await codeOf(client.propose({ sessionId: "w2-root", calls: [{ tool: "x" }] }))).toBe("ok")
  expect((await client.listWorkflows()).items).toHaveLength(2)
  const { problems } = await run(verifyTenant(governance.journal, tenant))
  expect(problems.map((problem) => problem.workflowId)).toEqual(["w1"])
})

it("a reader of events is told of a damaged one, after all that came before it", async () => {
  const place = placed(sqlitePlace)
  const first = await opened(place.layer())
  await work(first.client, "w1", 400)
  await first.client.close()
  const db = new Database(place.filename ?? "")
  // Behind the snapshot, so that the workflow itself still opens.
  db.exec("update journal set event = replace(event, 'work', 'play') where workflow_id = 'w1' and seq = 250")
  db.close()
  const { client } = await opened(place.layer())
  expect((await client.getWorkflow("w1")).seq).toBe(401)
  const error = await refusal(
    (async () => {
      for await (const event of client.events({ workflowId: "w1" })) if (event.seq > 300) return
    })(),
  )
  expect([error.code, error.facts.workflowId, error.facts.seq]).toEqual(["storage_corrupt", "w1", 250])
  const seqs: Array<number> = []
  for await (const event of client.events({ workflowId: "w1", after: 250 })) {
    seqs.push(event.seq)
    if (event.seq === 401) break
  }
  expect(seqs[0]).toBe(251)
})

it.each([
  ["a text that does not fit its hash", "text" as const, 3],
  ["an event that is left out", "gap" as const, 3],
])("whatever a store hands over, %s is not believed", async (_, how, seq) => {
  const place = placed(memoryPlace)
  const first = await opened(place.layer())
  await work(first.client, "w1", 5)
  await first.client.close()
  const spoilt = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
    how === "gap"
      ? entries.filter((entry) => entry.seq !== seq)
      : entries.map((entry) => (entry.seq === seq ? { ...entry, text: entry.text.replace('"n":1', '"n":9') } : entry))
  const { client } = await opened(place.layer(), {
    wrap: (journal) => ({
      ...journal,
      load: (...args) =>
        Effect.map(journal.load(...args), (loaded) => loaded && { ...loaded, entries: spoilt(loaded.entries) }),
    }),
  })
  const error = await refusal(client.getWorkflow("w1"))
  expect([error.code, error.facts.workflowId, error.facts.seq]).toEqual(["storage_corrupt", "w1", seq])
})
