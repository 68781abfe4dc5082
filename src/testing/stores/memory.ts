/** The memory store under test: what survives a writer is the store object, and a death is that of the writer. */
import { type MemoryStore, makeMemoryStore, memoryJournal } from "../../adapters/memory/MemoryJournal.ts"
import type { Journal } from "../../runtime/Journal.ts"
import { FaultGate } from "../conformance/FaultGate.ts"
import type { StoreUnderTest } from "../conformance/StoreUnderTest.ts"

/** What a store may do otherwise than it should; made anew for each store. */
export interface MemoryVariant {
  /** What a writer gets in the place of `journal`, whose appends pass through the gate as one statement each. */
  writer?(journal: Journal["Service"], store: MemoryStore, gate: FaultGate): Partial<Journal["Service"]>
  /** What is found after a writer was closed, or died. */
  afterClose?(store: MemoryStore): MemoryStore
  afterDeath?(store: MemoryStore): MemoryStore
}

/** A group is carried out in one statement, as a call runs to its end before the next one starts. */
const gated = (store: MemoryStore, gate: FaultGate): Journal["Service"] => {
  const journal = memoryJournal(store)
  return { ...journal, append: (group) => gate.pass(journal.append(group)) }
}

export const memoryStore = (name = "memory", variant: () => MemoryVariant = () => ({})): StoreUnderTest => ({
  name,
  make: async () => {
    const { writer, afterClose, afterDeath } = variant()
    let store = makeMemoryStore()
    const journalOn = (gate: FaultGate): Journal["Service"] => {
      const journal = gated(store, gate)
      return { ...journal, ...writer?.(journal, store, gate) }
    }
    const close = async (): Promise<void> => {
      store = afterClose?.(store) ?? store
    }
    return {
      open: async () => ({ journal: journalOn(new FaultGate()), close }),
      openFaulty: async () => {
        const gate = new FaultGate()
        const journal = journalOn(gate)
        const died = (): void => {
          store = afterDeath?.(store) ?? store
        }
        return gate.writer({ append: (group) => journal.append(group), close, died })
      },
      remove: async () => {},
    }
  },
})
