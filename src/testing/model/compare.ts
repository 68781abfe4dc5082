/** Comparison of what the model is sure of with what the system answered and shows. */
import assert from "node:assert/strict"
import { canonical } from "./canonical.ts"
import type { Observation } from "./observe.ts"
import type { ModelAnswer } from "./state.ts"

/** Lists of an answer that are sets: their order says nothing. */
const sets = new Set(["fences", "owns", "resources", "released", "sessions", "handoffs", "orphanedSteps"])
const label = (item: unknown): string => {
  if (typeof item !== "object" || item === null) return String(item)
  const one = item as Record<string, unknown>
  return one.stepId === undefined ? `${String(one.name)} ${String(one.key)}` : String(one.stepId)
}
const sorted = (list: ReadonlyArray<unknown>) => [...list].sort((a, b) => (label(a) < label(b) ? -1 : 1))

/** Every member that is expected is there with that value; the answer may hold more. */
export const contains = (actual: unknown, expected: unknown, path = "answer"): void => {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${path} is a list`)
    const set = sets.has(path.split(".").at(-1) ?? "")
    const [left, right] = set ? [sorted(actual), sorted(expected)] : [actual, expected]
    assert.equal(
      left.length,
      right.length,
      `${path}: ${JSON.stringify(left)} has the length of ${JSON.stringify(right)}`,
    )
    right.forEach((one, index) => contains(left[index], one, `${path}.${index}`))
  } else if (typeof expected === "object" && expected !== null) {
    assert.ok(typeof actual === "object" && actual !== null, `${path} is an object`)
    for (const [name, value] of Object.entries(expected))
      contains((actual as Record<string, unknown>)[name], value, `${path}.${name}`)
  } else
    assert.deepEqual(actual, expected, `${path}: system ${JSON.stringify(actual)}, model ${JSON.stringify(expected)}`)
}

/** The model's answer without what only the harness reads. */
export const sure = ({ killIds: _, ...answer }: ModelAnswer): ModelAnswer => answer

/** Everything seen is equal; kills that no command asked for are not compared. */
export const sameObservation = (actual: Observation, expected: Observation): void => {
  const comparable: Observation = {
    workflows: Object.fromEntries(
      Object.entries(actual.workflows).map(([id, one]) => {
        const known = new Set(expected.workflows[id]?.kills.map((kill) => kill.id))
        return [id, { ...one, kills: one.kills.filter((kill) => known.has(kill.id)) }]
      }),
    ),
  }
  if (canonical(comparable) !== canonical(expected))
    assert.deepEqual(comparable, expected, "what the system shows (+) differs from the model (-)")
}
