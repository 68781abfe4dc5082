/** The model itself in the place of a system, whole or with a deliberate fault: the harness's own test object. */
import type { Command } from "../../machines/commands.ts"
import type { Definition } from "../../machines/definition.ts"
import { sure } from "./compare.ts"
import type { Fault } from "./faults.ts"
import { observe } from "./observe.ts"
import { emptyWorld, type Ids } from "./state.ts"
import { step } from "./step.ts"
import type { Answered, Sut, SutFactory, SutOptions } from "./sut.ts"

const answeredBy = (verdict: ReturnType<typeof step>["verdict"]): Answered =>
  verdict.ok ? { ok: true, answer: sure(verdict.answer) } : { ok: false, code: verdict.code, facts: verdict.facts }

const makeModelSut = (definition: Definition, fault: Fault | null): Sut => {
  let world = emptyWorld(definition, fault)
  let made = 0
  const name = (kind: string) => () => `${kind}-${++made}`
  const ids: Ids = {
    session: name("session"),
    handoff: name("handoff"),
    step: name("step"),
    prepared: name("prepared"),
    kill: name("kill"),
  }
  return {
    definitionHash: "f".repeat(64),
    execute: async (command: Command, options: SutOptions) => {
      const next = step(world, command, { ...options, ids })
      world = next.world
      return answeredBy(next.verdict)
    },
    observe: async () => observe(world),
    restart: async () => {
      world = JSON.parse(JSON.stringify(world)) as typeof world
    },
    verify: async () => [],
    executeAsStranger: async (command, options) =>
      answeredBy(step(emptyWorld(definition), command, { ...options, ids }).verdict),
    close: async () => undefined,
  }
}

/** The model in the place of a system: whole, or with one rule broken, to see that a property notices. */
export const modelSut = (fault: Fault | null = null, runs = 100): SutFactory => ({
  name: fault === null ? "the model itself" : `the model, but ${fault}`,
  make: async (definition) => makeModelSut(definition, fault),
  runs,
})
