/** The SQLite journal keeps every clause of the conformance kit with every group folded at once, and with folds between groups. */
import { keepsEveryClause } from "./clauses.ts"
import { sqliteStore } from "./sqliteStore.ts"

keepsEveryClause(sqliteStore("sqlite, folded at once", { foldAppends: 1 }))
keepsEveryClause(sqliteStore("sqlite, folded between groups", { foldAppends: 3 }))
