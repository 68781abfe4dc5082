/** Keys and the servers' secret: the same port over memory, SQLite and Postgres. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import type { Keys } from "../../src/adapters/http/auth/Keys.ts"
import { MemoryKeys } from "../../src/adapters/http/auth/MemoryKeys.ts"
import { httpLimits } from "../../src/adapters/http/limits.ts"
import { openPostgresKeys, openSqliteKeys } from "../../src/adapters/kysely/keys.ts"
import { Tenant } from "../../src/machines/ids.ts"
import { WorkflowError } from "../../src/runtime/errors.ts"
import { dropSchema, freshSchema, postgresUrl } from "../postgres/database.ts"
import { claim, offer, openServer, root } from "./fixtures.ts"

/** Opens the same place again and again. */
type Place = () => Promise<Keys>
const memory = (): Place => {
  const keys = new MemoryKeys()
  return async () => keys
}
const directory = (): string => {
  const path = mkdtempSync(join(tmpdir(), "handrail-keys-"))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
const closing =
  (open: Place): Place =>
  async () => {
    const keys = await open()
    onTestFinished(() => keys.close())
    return keys
  }
const sqlite = (): Place => {
  const filename = join(directory(), "store.db")
  return closing(() => openSqliteKeys(filename))
}
const postgres = (url: string) => (): Place => {
  const schema = freshSchema()
  onTestFinished(async () => {
    await dropSchema(url, schema)
  })
  return closing(() => openPostgresKeys({ url, schema }))
}
const places: ReadonlyArray<readonly [string, () => Place]> = [
  ["memory", memory],
  ["sqlite", sqlite],
  ...(postgresUrl === undefined ? [] : [["postgres", postgres(postgresUrl)] as const]),
]

describe.each(places)("keys in %s", (_, place) => {
  test("are found as they were made, by whoever shares the store", async () => {
    const open = place()
    const [one, two] = [await open(), await open()]
    expect(await one.any()).toBe(false)
    const ring = new KeyRing(one, () => 1_800_000_000_000)
    const { key, record } = await ring.create({
      tenant: "acme",
      name: "alice",
      scopes: ["operator", "read", "read"],
      lifeMs: 5,
    })
    expect(record).toMatchObject({ scopes: ["operator", "read"], expiresAt: 1_800_000_000_005, revokedAt: null })
    expect(await two.find(record.keyId)).toEqual(record)
    expect([await two.any(), await two.find("0".repeat(16))]).toEqual([true, undefined])
    const other = await ring.create({ name: "bob", scopes: ["agent"] })
    expect(await two.list(Tenant.make("acme"))).toEqual([record])
    expect((await two.list()).map(({ keyId }) => keyId).toSorted()).toEqual(
      [record.keyId, other.record.keyId].toSorted(),
    )
    expect(JSON.stringify(await two.list())).not.toContain(key.slice(`hrk_${record.keyId}_`.length))
  })

  test("end at once when they are revoked, and never live longer than was said", async () => {
    const keys = await place()()
    const { record } = await new KeyRing(keys, () => 10).create({ name: "alice", scopes: ["read"] })
    expect(await keys.expire(record.keyId, 50)).toBe(true)
    await keys.expire(record.keyId, 90)
    expect((await keys.find(record.keyId))?.expiresAt).toBe(50)
    await keys.expire(record.keyId, 40)
    await keys.revoke(record.keyId, 20)
    await keys.revoke(record.keyId, 30)
    expect(await keys.find(record.keyId)).toMatchObject({ expiresAt: 40, revokedAt: 20 })
    expect([await keys.revoke("0".repeat(16), 1), await keys.expire("0".repeat(16), 1)]).toEqual([false, false])
  })

  test("the secret is made once, whoever asks first", async () => {
    const open = place()
    const stores = await Promise.all([open(), open(), open()])
    const secrets = await Promise.all(stores.map((keys, index) => keys.secret("session_tokens", `candidate ${index}`)))
    expect(new Set(secrets).size).toBe(1)
    expect(await stores[0]?.secret("other", "x")).toBe("x")
  })
})

test("the file of a store holds no key", async () => {
  const filename = join(directory(), "store.db")
  const keys = await openSqliteKeys(filename)
  const { key } = await new KeyRing(keys).create({ name: "alice", scopes: ["read"] })
  await keys.close()
  expect(readFileSync(filename).includes(key.split("_")[2] ?? "?")).toBe(false)
})

test("a store that can't be opened says why, without a stack of its driver", async () => {
  const error = await openSqliteKeys(join(directory(), "missing", "store.db")).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(WorkflowError)
  expect(error).toMatchObject({ code: "storage_unavailable" })
})

describe("a key ring", () => {
  test("rotates: both keys are valid until the old one has had its grace", async () => {
    let now = 1_000_000
    const server = await openServer({ now: () => now })
    const ring = new KeyRing(server.keys, () => now)
    const old = await ring.create({ name: "reader", scopes: ["read"] })
    const fresh = await ring.rotate(old.record.keyId, { graceMs: 60_000 })
    expect(fresh.record).toMatchObject({ name: "reader", scopes: ["read"], tenant: "default" })
    const statuses = async () =>
      Promise.all([old, fresh].map(async ({ key }) => (await server.call("GET", "/workflows", { key })).status))
    expect(await statuses()).toEqual([200, 200])
    now += 59_999
    expect(await statuses()).toEqual([200, 200])
    now += 1
    expect(await statuses()).toEqual([401, 200])
    await ring.revoke(fresh.record.keyId)
    now += httpLimits.keyFreshMs
    expect(await statuses()).toEqual([401, 401])
  })

  test("refuses what is no key of anybody", async () => {
    const ring = new KeyRing(new MemoryKeys())
    const wrong = await ring
      .create({ tenant: "-", name: "a b", scopes: [], lifeMs: 0 })
      .catch((error: unknown) => error)
    expect(wrong).toMatchObject({
      code: "invalid_request",
      facts: { errors: [{ path: "tenant" }, { path: "name" }, { path: "scopes" }, { path: "lifeMs" }] },
    })
    await expect(ring.revoke("nobody")).rejects.toMatchObject({ code: "invalid_request" })
    await expect(ring.rotate("nobody", { graceMs: 1 })).rejects.toMatchObject({ code: "invalid_request" })
  })
})

test("two servers on one store know the same keys and the same session tokens", async () => {
  const filename = join(directory(), "store.db")
  const [one, two] = [await openSqliteKeys(filename), await openSqliteKeys(filename)]
  const first = await openServer({ keys: one })
  const second = await openServer({ keys: two, runtime: first.runtime })
  const lead = await root(first)
  const agent = await first.keyOf(["agent"])
  const beat = await second.call("POST", `/sessions/${lead.id}/heartbeat`, { key: agent, session: lead.token })
  expect(beat.status).toBe(200)
  const dev = await claim(second, lead, await offer(second, lead))
  expect((await first.call("POST", `/sessions/${dev.id}/heartbeat`, { key: agent, session: dev.token })).status).toBe(
    200,
  )
})
