/** What an operator is told of a limit is in the units in which it is given (semantics.md §7). */
import { expect, test } from "vitest"
import { createRoot, opened, placed, refusal } from "./fixtures.ts"
import { memoryPlace } from "./open.ts"

test("a limit on cost that can't be lowered is told as money, one that is no limit as none", async () => {
  const { client } = await opened(placed(memoryPlace).layer())
  await createRoot(client)
  const lowered = await refusal(client.raiseLimits({ workflowId: "w1", limits: { maxCost: 2.5 } }))
  expect(lowered).toMatchObject({ code: "limits_only_raise", detail: "maxCost is 1000: it can't be lowered to 2.5." })
  expect(lowered.facts).toMatchObject({ limit: "maxCost", present: 1000, requested: 2.5 })
  const unlimited = await refusal(client.raiseLimits({ workflowId: "w1", limits: { maxSteps: 7 } }))
  expect(unlimited.facts).toMatchObject({ limit: "maxSteps", present: null, requested: 7 })
})
