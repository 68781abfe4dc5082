/**
 * The Postgres schema: the dump under version control, a second migration, several nodes at once, and indexes for what is
 * read. After a change of migrations, write the dump again with `UPDATE_SCHEMA=1`.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type pg from "pg"
import { describe, expect, onTestFinished, test } from "vitest"
import { migrate } from "../../src/adapters/kysely/postgres/migrate.ts"
import * as PostgresReads from "../../src/adapters/kysely/postgres/reads.ts"
import * as Reads from "../../src/adapters/kysely/reads.ts"
import { dropSchema, freshSchema, postgresUrl, withClient } from "./database.ts"

const url = postgresUrl ?? ""
const dumpFile = fileURLToPath(new URL("../../src/adapters/kysely/schema.postgres.sql", import.meta.url))

const migrated = async (): Promise<string> => {
  const schema = freshSchema()
  onTestFinished(async () => {
    await dropSchema(url, schema)
  })
  await migrate(url, schema, 10_000)
  return schema
}

const columnsOf = `
  select table_name as "table", column_name as name, data_type as type, collation_name as collation, is_nullable = 'YES' as nullable
  from information_schema.columns where table_schema = $1 and table_name not like 'kysely%' order by table_name, ordinal_position`
const constraintsOf = `
  select t.relname as "table", c.conname as name, pg_get_constraintdef(c.oid) as text
  from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
  where n.nspname = $1 and t.relname not like 'kysely%' and c.contype <> 'n' order by t.relname, c.conname`
const indexesOf = `
  select tablename as "table", replace(indexdef, quote_ident(schemaname) || '.', '') as text
  from pg_indexes where schemaname = $1 and tablename not like 'kysely%' order by tablename, indexname`

interface Row {
  readonly table: string
  readonly name: string
  readonly text: string
  readonly type: string
  readonly collation: string | null
  readonly nullable: boolean
}

const dump = (schema: string): Promise<string> =>
  withClient(url, async (client) => {
    const rows = async (sql: string) => (await client.query<Row>(sql, [schema])).rows
    const [columns, constraints, indexes] = [await rows(columnsOf), await rows(constraintsOf), await rows(indexesOf)]
    const of = (table: string, all: ReadonlyArray<Row>) => all.filter((row) => row.table === table)
    return [...new Set(columns.map((row) => row.table))]
      .map((table) => {
        const lines = [
          ...of(table, columns).map(({ name, type, collation, nullable }) =>
            [
              `"${name}" ${type}`,
              collation === null ? "" : ` collate "${collation}"`,
              nullable ? "" : " not null",
            ].join(""),
          ),
          ...of(table, constraints).map(({ name, text }) => `constraint "${name}" ${text}`),
        ]
        const made = of(table, indexes).map(({ text }) => `${text};\n`)
        return `create table "${table}" (\n  ${lines.join(",\n  ")}\n);\n${made.join("")}`
      })
      .join("\n")
  })

describe.skipIf(postgresUrl === undefined)("the Postgres schema", () => {
  test("is what the dump under version control says", async () => {
    const text = await dump(await migrated())
    if (process.env.UPDATE_SCHEMA === "1") writeFileSync(dumpFile, text)
    expect(text).toBe(readFileSync(dumpFile, "utf8"))
  })

  test("a second migration does nothing, and several nodes may migrate at once", async () => {
    const schema = await migrated()
    const before = await dump(schema)
    await Promise.all(Array.from({ length: 4 }, () => migrate(url, schema, 10_000)))
    expect(await dump(schema)).toBe(before)
    const fresh = freshSchema()
    onTestFinished(async () => {
      await dropSchema(url, fresh)
    })
    await Promise.all(Array.from({ length: 4 }, () => migrate(url, fresh, 10_000)))
    expect(await dump(fresh)).toBe(before.replaceAll(schema, fresh))
  })

  test("is made although others drop theirs at that moment", async () => {
    // As many as a loaded machine makes well within the test's time.
    const wanted = 5
    let made = 0
    const making = (async () => {
      for (; made < wanted; made++) await migrated()
    })()
    await withClient(url, async (client) => {
      while (made < wanted) {
        const name = freshSchema()
        await client.query(`create schema ${name}; create table ${name}.t (n serial primary key)`)
        await client.query(`drop schema ${name} cascade`)
      }
    }).catch(() => {})
    await making
  })

  test("every read that may meet many rows goes by an index", async () => {
    const schema = await migrated()
    await withClient(url, async (client) => {
      await fill(client, schema)
      const plan = async (sql: string, ...values: ReadonlyArray<unknown>) => {
        const { rows } = await client.query<Record<string, string>>(`explain ${sql}`, [...values])
        return rows.map((row) => row["QUERY PLAN"]).join("\n")
      }
      const uses = async (index: string, sql: string, ...values: ReadonlyArray<unknown>) => {
        const text = await plan(sql, ...values)
        expect(text).toContain(index)
        expect(text).not.toContain("Seq Scan")
      }
      const place = ["t1", "w1", 5, "s5", 10]
      await uses("workflows_newest", Reads.workflowsPage().postgres(schema), "t1", "active", 9, "w", 10)
      await uses("workflows_wake", Reads.dueWorkflows().postgres(schema), 10, 10)
      await uses("workflows_wake", Reads.nextWake().postgres(schema))
      await uses("sessions_", Reads.sessionsPage("all", "asc").postgres(schema), ...place)
      await uses("sessions_open", Reads.sessionsPage("open", "desc").postgres(schema), ...place)
      await uses("handoffs_open", Reads.handoffsPage("open", "asc").postgres(schema), ...place)
      await uses("journal_key", PostgresReads.eventsAfter().postgres(schema), "t1", "w1", 5, 10)
      await uses("sessions_key", PostgresReads.sessions().postgres(schema), "t1", ["s5"])
    })
  })
})

/** Enough rows that reading a whole table is no choice. */
const fill = async (client: pg.Client, schema: string): Promise<void> => {
  const at = (table: string) => `${client.escapeIdentifier(schema)}.${table}`
  const n = "generate_series(1, 20000) n"
  await client.query(`
    insert into ${at("journal")} select 't1', 'w' || n % 50, n, '{}', 'h' from ${n};
    insert into ${at("workflows")}
      select 't1', 'w' || n, 'x', 'h', 'r', 'lead', 'active', n, null, case when n % 100 = 0 then n end from ${n};
    insert into ${at("sessions")}
      select 't1', 's' || n, 'w' || n % 50, 'dev', 'a', null, null, 0, 0,
        case when n % 100 = 0 then 'active' else 'completed' end, 1, n, n, case when n % 100 = 0 then null else n end
      from ${n};
    insert into ${at("handoffs")}
      select 't1', 'w' || n % 50, 'h' || n, 's', 'lead', 'dev', case when n % 100 = 0 then 'offered' else 'completed' end,
        1, null, n, n, n, null, 'null', '[]', '[]', 'null', '[]' from ${n};
    analyze`)
}
