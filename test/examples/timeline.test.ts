/** Lines from several sources come out in the order of time. */
import { expect, it } from "vitest"
import { Timeline } from "../../examples/pr-review/timeline.ts"

/** A timeline whose clock is moved by hand. */
const timelineAt = () => {
  let now = 0
  let timer: { readonly at: number; readonly then: () => void } | undefined
  const shown: string[] = []
  const timeline = new Timeline({
    waitMs: 100,
    now: () => now,
    after: (ms, then) => {
      timer = { at: now + ms, then }
      return () => {
        timer = undefined
      }
    },
  })
  return {
    shown,
    timeline,
    add: (at: number, text: string) => timeline.add(at, () => shown.push(text)),
    to: (ms: number) => {
      while (timer !== undefined && timer.at <= ms) {
        const { at, then } = timer
        now = at
        timer = undefined
        then()
      }
      now = ms
    },
  }
}

it("a line that comes late stands above what it came before", () => {
  const { add, shown, to } = timelineAt()
  to(10)
  add(10, "effect")
  to(50)
  add(5, "cause")
  add(10, "other effect")
  to(109)
  expect(shown).toEqual([])
  to(110)
  expect(shown).toEqual(["cause", "effect", "other effect"])
})

it("a line never waits for longer than it should, and one that comes too late is shown all the same", () => {
  const { add, shown, to } = timelineAt()
  add(0, "first")
  to(100)
  expect(shown).toEqual(["first"])
  to(500)
  add(300, "late")
  add(500, "last")
  to(599)
  expect(shown).not.toContain("last")
  to(600)
  expect(shown).toEqual(["first", "late", "last"])
})

it("nothing is kept back at the end", () => {
  const { add, shown, timeline, to } = timelineAt()
  add(20, "b")
  add(10, "a")
  timeline.flush()
  expect(shown).toEqual(["a", "b"])
  to(1000)
  expect(shown).toEqual(["a", "b"])
})
