/** The memory journal keeps the suite that every store keeps. */
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { journalSuite } from "./journalSuite.ts"

journalSuite("memory", async () => {
  const store = makeMemoryStore()
  return { open: async () => ({ journal: memoryJournal(store), close: async () => {} }), remove: async () => {} }
})
