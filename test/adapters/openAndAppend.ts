/** A process of its own: opens the file that is named, creates one workflow, and ends. */

import { Effect } from "effect"
import { Chain } from "../../src/testing/conformance/Chain.ts"
import { openSqlite } from "./sqliteStore.ts"

const [filename, name] = process.argv.slice(2)
if (filename === undefined || name === undefined) throw new Error("usage: openAndAppend FILE NAME")
const store = await openSqlite({ filename })
const [result] = await Effect.runPromise(store.journal.append([new Chain(`p${name}`).create()]))
await store.close()
if (result?._tag !== "appended") throw new Error(`not appended: ${JSON.stringify(result)}`)
