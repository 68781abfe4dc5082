/**
 * Kysely as a compiler: a typed query becomes the SQL text of each database, which is prepared once and run many times.
 *
 * The same statement serves both; their parameters are given by position, in the order in which they stand.
 */
import {
  type Compilable,
  createQueryId,
  DummyDriver,
  Kysely,
  type OperationNodeSource,
  PostgresQueryCompiler,
  type RootOperationNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  WithSchemaPlugin,
} from "kysely"
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

export interface Statement {
  readonly sqlite: string
  /** With every table in that schema. */
  postgres(schema: string): string
}

export const compile = (builder: Compilable & OperationNodeSource): Statement => ({
  get sqlite() {
    return builder.compile().sql
  },
  postgres: (schema) => {
    const queryId = createQueryId()
    const node = builder.toOperationNode() as RootOperationNode
    const placed = new WithSchemaPlugin(schema).transformQuery({ node, queryId })
    return new PostgresQueryCompiler().compileQuery(placed, queryId).sql
  },
})

/** Of a statement that only Postgres runs, and that names its tables with their schema. */
export const postgresText = (statement: OperationNodeSource): string =>
  new PostgresQueryCompiler().compileQuery(statement.toOperationNode() as RootOperationNode, createQueryId()).sql
