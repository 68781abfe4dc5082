/** The Postgres journal keeps every clause of the conformance kit. Its crashes, freezes and errors are those of its connections. */
import { postgresUrl } from "../postgres/database.ts"
import { keepsEveryClause } from "./clauses.ts"
import { postgresStore } from "./postgresStore.ts"

if (postgresUrl !== undefined) keepsEveryClause(postgresStore(postgresUrl))
