/**
 * The SQLite journal keeps the suite that every store keeps: with groups left pending, as it comes; with every group folded
 * at once; and with folds between groups.
 */
import { journalSuite } from "./journalSuite.ts"
import { sqliteStore } from "./sqliteStore.ts"

journalSuite("sqlite", sqliteStore())
journalSuite("sqlite, folded at once", sqliteStore({ foldAppends: 1 }))
journalSuite("sqlite, folded between groups", sqliteStore({ foldAppends: 3 }))
