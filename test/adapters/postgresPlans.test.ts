/**
 * The plans that Postgres makes of the statements while it knows nothing of the tables yet. It keeps them for as long as the
 * connection lives or until it has counted the rows, so one that is right only for few rows makes every write of a large new
 * workflow read all of it.
 */
import { Effect } from "effect"
import type pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Write } from "../../src/adapters/kysely/postgres/writes.ts"
import * as Writes from "../../src/adapters/kysely/postgres/writes.ts"
import { openPostgresJournal } from "../../src/adapters/kysely/postgres.ts"
import * as Reads from "../../src/adapters/kysely/reads.ts"
import { dropSchema, freshSchema, postgresUrl, withClient } from "../postgres/database.ts"

const url = postgresUrl

/** The indexes that the statement is planned with, as a connection plans it for good: for no parameters in particular. */
const indexesOf = async (client: pg.Client, text: string): Promise<ReadonlyArray<string>> => {
  const parameters = new Set(text.match(/\$\d+/g)).size
  await client.query(`prepare planned as ${text}`)
  try {
    const nulls = parameters === 0 ? "" : `(${Array.from({ length: parameters }, () => "null").join(", ")})`
    const { rows } = await client.query<{ "QUERY PLAN": string }>(`explain execute planned${nulls}`)
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n")
    expect(plan).not.toContain("Seq Scan")
    return [...plan.matchAll(/Scan (?:Backward )?using (\w+)/g)].map(([, name]) => name ?? "")
  } finally {
    await client.query("deallocate planned")
  }
}

if (url !== undefined)
  describe("on tables that are new", () => {
    const schema = freshSchema()
    beforeAll(() => Effect.runPromise(Effect.scoped(Effect.asVoid(openPostgresJournal({ url, schema })))))
    afterAll(() => dropSchema(url, schema))

    const planned = (text: string, more: ReadonlyArray<string> = []) =>
      withClient(url, async (client) => {
        await client.query(`set search_path = ${schema}`)
        await client.query("set plan_cache_mode = force_generic_plan")
        for (const name of ["enable_seqscan", ...more]) await client.query(`set ${name} = off`)
        return indexesOf(client, text)
      })

    const writes: ReadonlyArray<Write> = Object.values(Writes)
    const found = writes.filter((write) => /^\s*(update|select)|\bjoin\b/.test(write.text(schema)))
    test.each(found.map((write) => [write.name, write] as const))(
      "%s finds its rows by their key",
      async (_, write) => {
        const indexes = await planned(write.text(schema), ["enable_hashjoin", "enable_mergejoin"])
        expect(indexes).not.toEqual([])
        expect(indexes.filter((name) => !name.endsWith("_key"))).toEqual([])
      },
    )

    const pages = [
      ["handoffs_listing", Reads.handoffsPage("all", "asc")],
      ["handoffs_listing", Reads.handoffsPage("ended", "desc")],
      ["handoffs_open", Reads.handoffsPage("open", "asc")],
      ["sessions_listing", Reads.sessionsPage("all", "asc")],
      ["sessions_listing", Reads.sessionsPage("ended", "desc")],
      ["sessions_open", Reads.sessionsPage("open", "asc")],
      ["workflows_newest", Reads.workflowsPage()],
    ] as const
    test.each(pages)("a page of %s is read in order", async (index, { postgres }) => {
      expect(await planned(postgres(schema), ["enable_sort", "enable_bitmapscan"])).toEqual([index])
    })
  })
