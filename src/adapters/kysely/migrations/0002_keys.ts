/** API keys, and secrets of the servers that share a store. */
import { type Kysely, sql } from "kysely"
import type { Capabilities } from "./index.ts"

export const keys = async (db: Kysely<unknown>, has: Capabilities): Promise<void> => {
  const table = <N extends string>(name: N) =>
    has.strictTables ? db.schema.createTable(name).modifyEnd(sql`strict`) : db.schema.createTable(name)
  await table("api_keys")
    .addColumn("key_id", "text", (c) => c.primaryKey())
    .addColumn("tenant", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("scopes", "text", (c) => c.notNull())
    // Of the secret, as sha256: the secret itself is nowhere.
    .addColumn("hash", "text", (c) => c.notNull().check(sql`length(hash) = 64`))
    .addColumn("created_at", has.integer, (c) => c.notNull())
    .addColumn("expires_at", has.integer)
    .addColumn("revoked_at", has.integer)
    .execute()
  await table("server_secrets")
    .addColumn("name", "text", (c) => c.primaryKey())
    .addColumn("value", "text", (c) => c.notNull())
    .execute()
}
