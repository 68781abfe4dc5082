/** The memory journal keeps every clause of the conformance kit. */
import { Effect } from "effect"
import { expect, test } from "vitest"
import { makeMemoryStore, memory } from "../../src/adapters/memory/MemoryJournal.ts"
import { Journal } from "../../src/runtime/Journal.ts"
import { Chain } from "../../src/testing/conformance/Chain.ts"
import { memoryStore } from "../../src/testing/index.ts"
import { keepsEveryClause } from "./clauses.ts"

keepsEveryClause(memoryStore())

test("a layer has a store of its own, unless it is given one", async () => {
  const chain = new Chain("wf")
  const write = Journal.use((journal) => journal.append([chain.create()]))
  const load = Journal.use((journal) => journal.load(chain.tenant, chain.id))
  const store = makeMemoryStore()
  await Effect.runPromise(Effect.provide(write, memory(store)))
  expect(await Effect.runPromise(Effect.provide(load, memory(store)))).toBeDefined()
  expect(await Effect.runPromise(Effect.provide(load, memory()))).toBeUndefined()
})
