/** What an actor remembers of answers is bounded, and it knows what it has forgotten (I8). */
import { expect, it } from "vitest"
import { AnswerCache } from "../../src/runtime/AnswerCache.ts"
import { limits } from "../../src/runtime/limits.ts"

it("the oldest answers are forgotten, and from then on an unknown key has to be looked up", () => {
  const cache = new AnswerCache()
  cache.startsEmpty()
  const row = (n: number) => ({ key: `k${n}`, fingerprint: "f", answer: n })
  for (let n = 0; n < limits.answersKept; n++) cache.remember(row(n))
  expect([cache.get("k0"), cache.knows("new")]).toEqual([row(0), true])
  cache.remember(row(limits.answersKept))
  expect([cache.get("k0"), cache.knows("k0"), cache.knows("new")]).toEqual([undefined, false, false])
  expect([cache.get("k1"), cache.knows("k1")]).toEqual([row(1), true])
})
