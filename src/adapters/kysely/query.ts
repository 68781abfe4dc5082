/** Kysely as a compiler: typed queries become SQL text, which better-sqlite3 prepares once and runs many times. */
import { type Compilable, DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely"
import type { Schema } from "./schema.ts"

export const query = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

/** Stand-ins for parameters in a query that is compiled: only their place matters. */
export const text: string = ""
export const int: number = 0

export const compile = (builder: Compilable): string => builder.compile().sql
