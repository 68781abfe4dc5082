/** Memory follows what is open: idle actors are put away and come back, ended things leave the state. */
import { describe, expect, it } from "vitest"
import { Tenant, WorkflowId } from "../../src/machines/ids.ts"
import { openThings } from "../../src/machines/state.ts"
import type { ActorHost } from "../../src/runtime/ActorHost.ts"
import { limits } from "../../src/runtime/limits.ts"
import { Registry } from "../../src/runtime/Registry.ts"
import { call, codeOf, createRoot, opened, placed } from "./fixtures.ts"
import { memoryPlace, places, tenant } from "./open.ts"
import { VirtualClock } from "./VirtualClock.ts"

describe.each(places)("on %s", (_, makePlace) => {
  it("actors that rest are put away, and come back as they were", async () => {
    const clock = new VirtualClock()
    const { client, governance } = await opened(placed(makePlace).layer(), { clock })
    const ids = Array.from({ length: 20 }, (_unused, index) => `w${index}`)
    for (const id of ids) await createRoot(client, id)
    const views = await Promise.all(ids.map((id) => client.getWorkflow(id)))
    expect(governance.gauges().actors).toBe(20)
    await clock.advance(limits.idleMs / 2, limits.sweepMs)
    await client.heartbeat({ sessionId: "w0-root" })
    await clock.advance(limits.idleMs / 2 + 2 * limits.sweepMs, limits.sweepMs)
    expect(governance.gauges().actors).toBe(1)
    await clock.advance(limits.idleMs + 2 * limits.sweepMs, limits.sweepMs)
    expect(governance.gauges().actors).toBe(0)
    expect(await Promise.all(ids.map((id) => client.getWorkflow(id)))).toEqual(views)
    expect(await codeOf(client.propose({ sessionId: "w7-root", ...call() }))).toBe("ok")
    expect(governance.gauges()).toMatchObject({ actors: 20, waiting: 0 })
  })

  it("what does not exist leaves nothing behind", async () => {
    const { client, governance } = await opened(placed(makePlace).layer())
    const codes = await Promise.all(
      Array.from({ length: 200 }, (_unused, index) => codeOf(client.getWorkflow(`no-${index}`))),
    )
    expect(new Set(codes)).toEqual(new Set(["workflow_not_found"]))
    expect(governance.gauges()).toMatchObject({ actors: 0, waiting: 0 })
  })
})

it("a state holds what is open, whatever happened before, and so do its deadlines", async () => {
  const { client, governance, run } = await opened(placed(memoryPlace).layer())
  const root = await createRoot(client)
  const size = () =>
    run(
      governance.query(tenant, WorkflowId.make("w1"), (state) => ({
        things: openThings(state),
        deadlines: state.deadlines.size,
        kills: state.kills.size,
      })),
    )
  const lifecycle = async (n: number): Promise<void> => {
    const { handoffId } = await root.handoff({ toRole: "dev", summary: {} })
    const child = await client.claim({
      workflowId: "w1",
      handoffId,
      parentSessionId: root.sessionId,
      role: "dev",
      agent: "d",
    })
    await child.preflight({ estimatedCost: 0 })
    const [step] = await child.propose(call({ estimatedCost: 0, resources: [{ name: "line", key: "a" }] }))
    if (n % 5 === 0) return void (await child.kill({ scope: "subtree", reason: "stop" }))
    await child.receipt({ receipts: [{ stepId: step?.stepId ?? "", outcome: "committed" }] })
    await child.complete()
  }
  // The steps that the kills orphan go on holding the line: they are resolved, so that everything is closed again.
  const settle = async (): Promise<void> => {
    for (const resource of (await client.getWorkflow("w1")).resources)
      for (const { stepId } of resource.steps)
        await codeOf(client.resolveStep({ workflowId: "w1", stepId, outcome: "aborted", reason: "looked" }))
  }
  for (let n = 1; n <= 400; n++) {
    await lifecycle(n)
    if (n % 5 === 0) await settle()
  }
  expect(await size()).toMatchObject({ things: 2, kills: 0 })
  expect((await size()).deadlines).toBeLessThanOrEqual(4 * 2 + 64 + 8)
})

it("a registry that is full puts the idle away, and never the one that was asked for", () => {
  const registry = new Registry({ now: () => 0, schedule: () => {} } as unknown as ActorHost)
  const one = Tenant.make("t")
  for (let n = 0; n <= limits.actors; n++) registry.actor(one, WorkflowId.make(`w${n}`))
  expect(registry.size).toBe(1)
  const last = WorkflowId.make(`w${limits.actors}`)
  expect(registry.live(one, last)).toBe(registry.actor(one, last))
})
