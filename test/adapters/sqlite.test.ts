/** The SQLite journal keeps every clause of the conformance kit, with groups left pending, as it comes. Its crashes are real ones. */
import { keepsEveryClause } from "./clauses.ts"
import { sqliteStore } from "./sqliteStore.ts"

keepsEveryClause(sqliteStore("sqlite"))
