/** What the store believes of a workflow's next deadline is what the workflow has: never too late, and nothing once it is gone (§9). */
import { expect, it } from "vitest"
import { createRoot, opened, placed } from "./fixtures.ts"
import { memoryPlace } from "./open.ts"
import { VirtualClock } from "./VirtualClock.ts"

it("the store's wake time follows offers, leases, progress and ends", async () => {
  const clock = new VirtualClock()
  const { client, governance, run } = await opened(placed(memoryPlace).layer(), { clock })
  const wake = () => run(governance.journal.nextWake)
  const root = await createRoot(client)
  expect(await wake()).toBe(null)
  await root.handoff({ toRole: "dev", handoffId: "h1", summary: {} })
  expect(await wake()).toBe(clock.now + 60_000)
  const claim = { workflowId: "w1", handoffId: "h1", parentSessionId: root.sessionId, role: "dev", agent: "d" }
  const dev = await client.claim(claim)
  expect(await wake()).toBe(clock.now + 10_000)
  clock.now += 4000
  await dev.heartbeat()
  expect(await wake()).toBe(clock.now + 10_000)
  const [step] = await dev.propose({ calls: [{ tool: "work", estimatedCost: 1 }] })
  await dev.receipt({ receipts: [{ stepId: step?.stepId ?? "none", outcome: "committed" }] })
  expect(await wake()).toBe(null)
  await dev.preflight({ estimatedCost: 1 })
  expect(await wake()).toBe(clock.now + 3000)
  await client.kill({ workflowId: "w1", scope: "workflow", reason: "over" })
  expect(await wake()).toBe(null)
})
