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
