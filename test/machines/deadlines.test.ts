/** Deadlines come up in the order of time, and what is void is forgotten (semantics.md §9). */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { compactDeadlines, Deadlines, rebuildDeadlines } from "../../src/machines/deadlines.ts"
import type { State } from "../../src/machines/state.ts"
import { definitions } from "../../src/testing/model/definitions.ts"
import { Random } from "../crash/Random.ts"
import { parameters } from "../properties/parameters.ts"
import { Walk } from "./Walk.ts"

/** A state of preflights alone: each stands until it is taken away. */
const withPrepared = (times: ReadonlyArray<number>): State =>
  ({
    status: "active",
    deadline: null,
    handoffs: new Map(),
    steps: new Map(),
    prepared: new Map(times.map((deadline, index) => [`p${index}`, { preparedRequestId: `p${index}`, deadline }])),
    deadlines: new Deadlines(),
  }) as unknown as State

describe("the earliest deadline", () => {
  it("is the least of those that stand, whatever the order in which they came and went", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.nat()),
        (times, chances) => {
          const state = withPrepared(times)
          times.forEach((at, index) => state.deadlines.add({ at, kind: "prepared", id: `p${index}` }))
          while (state.prepared.size > 0) {
            const standing = Array.from(state.prepared.values(), (one) => one.deadline)
            expect(state.deadlines.earliest(state)?.at).toBe(Math.min(...standing))
            const ids = [...state.prepared.keys()]
            const gone = ids[(chances.next().value ?? 0) % ids.length]
            if (gone !== undefined) state.prepared.delete(gone)
          }
          expect(state.deadlines.earliest(state)).toBeUndefined()
          expect(state.deadlines.size).toBe(0)
        },
      ),
      parameters(200),
    )
  })

  it("of the workflow comes before any other at the same time", () => {
    const state = Object.assign(withPrepared([10, 10, 10]), { deadline: 10 })
    for (const id of ["p0", "p1"]) state.deadlines.add({ at: 10, kind: "prepared", id })
    state.deadlines.add({ at: 10, kind: "workflow", id: "" })
    state.deadlines.add({ at: 10, kind: "prepared", id: "p2" })
    expect(state.deadlines.earliest(state)?.kind).toBe("workflow")
  })

  it("is the same one of several at the same time, in whatever order they came", () => {
    const times = [10, 10, 10, 10]
    const ids = times.map((_, index) => `p${index}`)
    for (const order of [ids, [...ids].reverse(), ["p2", "p0", "p3", "p1"]]) {
      const state = withPrepared(times)
      for (const id of order) state.deadlines.add({ at: 10, kind: "prepared", id })
      expect(state.deadlines.earliest(state)?.id).toBe("p0")
    }
  })

  it("is the same when the heap is filled anew from the state", () => {
    fc.assert(
      fc.property(definitions, fc.nat(), (definition, seed) => {
        const walk = new Walk(definition, new Random(seed))
        for (let n = 0; n < 60; n++) {
          walk.step()
          const kept = walk.state.deadlines.earliest(walk.state)
          rebuildDeadlines(walk.state)
          expect(walk.state.deadlines.earliest(walk.state)).toEqual(kept)
        }
      }),
      parameters(30),
    )
  })
})

it("void deadlines are dropped once they outnumber what is open", () => {
  const state = withPrepared([1000])
  state.deadlines.add({ at: 1000, kind: "prepared", id: "p0" })
  // Leases that were renewed again and again behind an earlier one that stands.
  for (let n = 0; n < 5000; n++) {
    state.deadlines.add({ at: 2000 + n, kind: "claim", id: "gone" })
    compactDeadlines(state)
    expect(state.deadlines.size).toBeLessThanOrEqual(4 * 1 + 64)
  }
  expect(state.deadlines.earliest(state)?.id).toBe("p0")
})
