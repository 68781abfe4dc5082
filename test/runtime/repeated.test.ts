/** What was accepted once is answered again, also where it would be refused now (semantics.md §4, I8). */
import { expect, it } from "vitest"
import { codeOf, createRoot, opened, placed, teamYaml } from "./fixtures.ts"
import { memoryPlace } from "./open.ts"

it("an offer that has ended is answered as it was, although there is no room for a new one", async () => {
  const { client } = await opened(placed(memoryPlace).layer())
  const root = await createRoot(client, "w1", teamYaml.replace("max_cost: 1000", "max_open_handoffs: 1"))
  const offer = { toRole: "dev", handoffId: "h1", summary: {} }
  const first = await root.handoff(offer)
  await root.withdraw(first)
  await root.handoff({ ...offer, handoffId: "h2" })
  const { handoffId, seq, offeredAt } = first
  expect(await root.handoff(offer)).toMatchObject({ handoffId, seq, offeredAt })
  expect(await codeOf(root.handoff({ ...offer, summary: { other: true } }))).toBe("handoff_exists")
  expect(await codeOf(root.handoff({ ...offer, handoffId: "h3" }))).toBe("limit_exceeded")
})

it("a key under which another runtime has changed nothing is a used one all the same", async () => {
  const place = placed(memoryPlace)
  const [a, b] = [await opened(place.layer()), await opened(place.layer())]
  const { sessionId } = await createRoot(a.client)
  const options = { idempotencyKey: "k1" }
  const beat = await b.client.heartbeat({ sessionId }, options)
  // The head has not moved, so no conflict tells the runtime in which the workflow was born.
  const raise = a.client.raiseLimits({ workflowId: "w1", limits: { maxCost: 1000 } }, options)
  expect(await codeOf(raise)).toBe("idempotency_mismatch")
  expect(await a.client.heartbeat({ sessionId }, options)).toEqual(beat)
})
