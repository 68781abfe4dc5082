/** Many nodes on one Postgres: any of them answers for any workflow, and what one does reaches the others at once. */
import { describe, expect, test } from "vitest"
import type { JournalEvent } from "../../src/machines/events.ts"
import { call, codeOf, createRoot, nothingUnhandled, opened, teamYaml, until } from "../runtime/fixtures.ts"
import { postgresUrl, withClient } from "./database.ts"
import { fromTheFuture, makePlace } from "./places.ts"

describe.skipIf(postgresUrl === undefined)("nodes on one Postgres", () => {
  test("any node answers for any workflow, and what they write is one history (I9)", async () => {
    const place = await makePlace()
    const nodes = await Promise.all([1, 2, 3].map(() => opened(place.layer())))
    const [first, second, third] = nodes.map((node) => node.client)
    if (first === undefined || second === undefined || third === undefined) throw new Error("three were opened")
    await createRoot(first)
    const offered = await second.offer({ sessionId: "w1-root", toRole: "dev", handoffId: "h1", summary: {} })
    const input = { workflowId: "w1", handoffId: "h1", parentSessionId: "w1-root", role: "dev", agent: "d" }
    const claims = await Promise.all(nodes.map(({ client }) => codeOf(client.claim(input))))
    expect(claims.toSorted()).toEqual(["handoff_already_claimed", "handoff_already_claimed", "ok"])
    expect(offered.status).toBe("offered")
    // Each at once from all of them: whoever is overtaken decides again on what the others wrote.
    const steps = await Promise.all(
      Array.from({ length: 30 }, (_, n) => nodes[n % 3]?.client.propose({ sessionId: "w1-root", ...call() })),
    )
    expect(new Set(steps.map((one) => one?.steps[0]?.stepId)).size).toBe(30)
    const views = await Promise.all(nodes.map(({ client }) => client.getWorkflow("w1")))
    expect(views[1]).toEqual(views[0])
    expect(views[2]).toEqual(views[0])
  })

  test("events reach a reader on another node, each once and in order, when LISTEN works and when it does not", async () => {
    nothingUnhandled()
    const place = await makePlace()
    const [writer, reader] = [await opened(place.layer()), await opened(place.layer())]
    await createRoot(writer.client)
    const seen: Array<JournalEvent> = []
    const reading = (async () => {
      for await (const event of reader.client.events({ workflowId: "w1" })) {
        seen.push(event)
        if (event.body._tag === "killed") return
      }
    })()
    await until(() => seen.length === 1)
    await writer.client.propose({ sessionId: "w1-root", ...call() })
    await until(() => seen.length === 2)
    // Whoever listens loses the connection: what is committed meanwhile is found by looking.
    await withClient(place.url, (client) =>
      client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' and pid <> pg_backend_pid()",
      ),
    )
    await writer.client.propose({ sessionId: "w1-root", ...call() })
    await until(() => seen.length === 3)
    await writer.client.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    await reading
    expect(seen.map((event) => event.seq)).toEqual([1, 2, 3, 4])
  })

  test("connections that are cut in the middle of work are typed refusals, and mend by themselves", async () => {
    nothingUnhandled()
    const place = await makePlace()
    const { client } = await opened(place.layer())
    await createRoot(client)
    const codes = new Set<string>()
    let cut = 0
    for (let round = 0; round < 5; round++) {
      const sent = Array.from({ length: 20 }, () => codeOf(client.propose({ sessionId: "w1-root", ...call() })))
      cut += await withClient(place.url, async (admin) => {
        const { rowCount } = await admin.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'handrail' and query not like 'listen%'",
        )
        return rowCount ?? 0
      })
      for (const code of await Promise.all(sent)) codes.add(code)
    }
    expect(cut).toBeGreaterThan(0)
    for (const code of codes) expect(["ok", "storage_unavailable"]).toContain(code)
    await until(async () => (await codeOf(client.propose({ sessionId: "w1-root", ...call() }))) === "ok")
  })

  test("a schema of any name keeps its tables apart, and nodes may create it together", async () => {
    const name = `any "schema" of ${Date.now()}; drop table x --`
    const [one, other] = [await makePlace(name), await makePlace(`${name} 2`)]
    const together = await Promise.all(Array.from({ length: 4 }, () => opened(one.layer())))
    const apart = await opened(other.layer())
    await createRoot(together[0]?.client ?? apart.client)
    expect((await together[3]?.client.listWorkflows())?.items).toHaveLength(1)
    expect((await apart.client.listWorkflows()).items).toHaveLength(0)
  })

  test("what is no database, no schema, or of a newer version is refused in words", async () => {
    const place = await makePlace()
    const { client } = await opened(place.layer())
    await createRoot(client, "w1", teamYaml)
    const refused = async (options: { url?: string; schema?: string }) => {
      const error = await opened(place.layer(options)).then(
        () => undefined,
        (cause: unknown) => cause,
      )
      return error as { reason?: string; detail?: string }
    }
    expect(await refused({ url: "mysql://x" })).toMatchObject({ reason: "url" })
    expect(await refused({ schema: "pg_mine" })).toMatchObject({ reason: "schema" })
    expect(await refused({ url: place.url.replace(/\/[^/]*$/, "/nowhere") })).toMatchObject({ reason: "no_database" })
    const closed = await refused({ url: "postgres://somebody:secret@127.0.0.1:1/x" })
    expect(closed).toMatchObject({ reason: "connection" })
    expect(JSON.stringify(closed)).not.toContain("secret")
    await fromTheFuture(place)
    expect(await refused({})).toMatchObject({ reason: "schema_newer" })
  })
})
