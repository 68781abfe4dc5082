/**
 * New ids: 96 bits of chance for each runtime, then a counter.
 *
 * Unique across processes without asking anybody, sortable by birth within one runtime, and as cheap as an addition. The
 * chance comes from Effect's `Random`, so a simulation with a seed makes the same ids again.
 */
import { Effect, Random } from "effect"
import type { IdKind, NewIds } from "../machines/decide/context.ts"

const prefixes: Readonly<Record<IdKind, string>> = {
  session: "s_",
  handoff: "h_",
  step: "st_",
  kill: "k_",
  prepared: "p_",
}

export type MakeId = <K extends IdKind>(kind: K) => NewIds[K]

export const makeIds: Effect.Effect<MakeId> = Effect.gen(function* () {
  let chance = ""
  for (let word = 0; word < 3; word++)
    chance += (yield* Random.nextIntBetween(0, 2 ** 32)).toString(36).padStart(7, "0")
  let count = 0
  return <K extends IdKind>(kind: K): NewIds[K] => {
    count += 1
    // An id by construction: letters, digits and underscores, far below 128 of them.
    return `${prefixes[kind]}${chance}${count.toString(36)}` as NewIds[K]
  }
})
