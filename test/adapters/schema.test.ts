/**
 * The schema: migrations from nothing, twice, by several processes at once; the dump under version control; a file of a newer
 * version. After a change of migrations, write the dump again with `UPDATE_SCHEMA=1`.
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import Database from "better-sqlite3"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { migrate, SchemaTooNew } from "../../src/adapters/kysely/migrate.ts"
import { temporaryDirectory } from "./sqliteStore.ts"

const dumpFile = fileURLToPath(new URL("../../src/adapters/kysely/schema.sqlite.sql", import.meta.url))

const dump = (db: Database.Database): string =>
  db
    .prepare<[], string>(
      "select sql from sqlite_master where sql is not null and name not like 'kysely_%' order by tbl_name, name",
    )
    .pluck()
    .all()
    .map((sql) => `${sql.replaceAll(", ", ",\n  ")};\n`)
    .join("\n")

describe("the SQLite schema", () => {
  let directory = temporaryDirectory()
  beforeEach(() => {
    directory = temporaryDirectory()
  })
  afterEach(() => directory.remove())

  test("is what the dump under version control says", async () => {
    const db = new Database(":memory:")
    await migrate(db)
    const text = dump(db)
    if (process.env.UPDATE_SCHEMA === "1") writeFileSync(dumpFile, text)
    expect(existsSync(dumpFile)).toBe(true)
    expect(text).toBe(readFileSync(dumpFile, "utf8"))
  })

  test("a second migration does nothing", async () => {
    const db = new Database(":memory:")
    await migrate(db)
    const before = dump(db)
    await migrate(db)
    expect(dump(db)).toBe(before)
    expect(db.prepare("select count(*) from kysely_migration").pluck().get()).toBe(2)
  })

  test("a file of the first version is brought up to this one, and keeps what it holds", async () => {
    const db = new Database(":memory:")
    await migrate(db)
    const newest = dump(db)
    db.exec("drop table api_keys; drop table server_secrets; delete from kysely_migration where name = '0002_keys'")
    db.prepare("insert into definitions values ('t', 'h', '{}')").run()
    await migrate(db)
    expect(dump(db)).toBe(newest)
    expect(db.prepare("select count(*) from definitions").pluck().get()).toBe(1)
  })

  test("a file of a newer version is refused", async () => {
    const db = new Database(join(directory.path, "x.db"))
    await migrate(db)
    db.prepare("insert into kysely_migration values ('9999_later', '')").run()
    await expect(migrate(db)).rejects.toBeInstanceOf(SchemaTooNew)
    db.close()
  })

  test("four processes open one fresh file at the same time, and each can write", async () => {
    const filename = join(directory.path, "fresh.db")
    const script = fileURLToPath(new URL("./openAndAppend.ts", import.meta.url))
    const tsx = fileURLToPath(new URL("../../node_modules/tsx/dist/cli.mjs", import.meta.url))
    const codes = await Promise.all(
      [0, 1, 2, 3].map(
        (n) =>
          new Promise<string>((resolve) => {
            const child = spawn(process.execPath, [tsx, script, filename, String(n)], {
              stdio: ["ignore", "pipe", "pipe"],
            })
            let output = ""
            child.stdout.on("data", (data) => (output += String(data)))
            child.stderr.on("data", (data) => (output += String(data)))
            child.on("close", (code) => resolve(code === 0 ? "ok" : output))
          }),
      ),
    )
    expect(codes).toEqual(["ok", "ok", "ok", "ok"])
    const db = new Database(filename, { readonly: true })
    expect(db.prepare("select count(*) from journal").pluck().get()).toBe(4)
    expect(db.prepare("select count(*) from kysely_migration").pluck().get()).toBe(2)
    db.close()
  }, 60_000)

  test("a query that a listing or a deadline runs uses an index that was made for it", async () => {
    const db = new Database(":memory:")
    await migrate(db)
    const Reads = await import("../../src/adapters/kysely/reads.ts")
    const plan = (sql: string) =>
      db
        .prepare(`explain query plan ${sql}`)
        .all(...Array.from({ length: sql.split("?").length - 1 }, () => 1))
        .map((row) => (row as { detail: string }).detail)
    const uses = (sql: string, index: string) => {
      const details = plan(sql)
      expect(details.join("\n")).toContain(index)
      expect(
        details.filter(
          (detail) => /SCAN (?!CONSTANT|ids VIRTUAL)|TEMP B-TREE FOR ORDER BY$/.test(detail) && !/USING/.test(detail),
        ),
      ).toEqual([])
    }
    uses(Reads.workflowsPage().sqlite, "workflows_newest")
    uses(Reads.dueWorkflows().sqlite, "workflows_wake")
    uses(Reads.nextWake().sqlite, "workflows_wake")
    uses(Reads.sessionsPage("all", "asc").sqlite, "sessions_listing")
    uses(Reads.sessionsPage("open", "desc").sqlite, "sessions_open")
    uses(Reads.sessionsPage("ended", "desc").sqlite, "sessions_listing")
    uses(Reads.handoffsPage("all", "desc").sqlite, "handoffs_listing")
    uses(Reads.handoffsPage("open", "asc").sqlite, "handoffs_open")
    uses(Reads.workflowsOfRolePage().sqlite, "PRIMARY KEY")
    uses(Reads.runsAfter().sqlite, "PRIMARY KEY")
    uses(Reads.eventsByIds().sqlite, "INTEGER PRIMARY KEY")
  })
})
