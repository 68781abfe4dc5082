/**
 * A runtime that is behind: what another one has done in the meantime, and what a store did without saying so.
 *
 * Each of these was found by the simulator (test/testing/simulation/regressions.test.ts).
 */
import { Effect } from "effect"
import { describe, expect, test } from "vitest"
import { StorageUnavailable } from "../../src/runtime/Journal.ts"
import { call, codeOf, createRoot, opened, placed, until } from "./fixtures.ts"
import { places } from "./open.ts"

describe.each(places)("on %s", (_, make) => {
  test("a handoff that another runtime has offered can be claimed by one that holds the workflow already (I1)", async () => {
    const place = placed(make)
    const { client: one } = await opened(place.layer())
    const { client: other } = await opened(place.layer())
    const root = await createRoot(one)
    await other.getWorkflow("w1")
    const { handoffId } = await root.handoff({ toRole: "dev", summary: {} })
    const claimed = await other.claim({
      workflowId: "w1",
      handoffId,
      parentSessionId: root.sessionId,
      role: "dev",
      agent: "d",
    })
    expect(claimed.handedOver).toMatchObject({ handoffId, generation: 1 })
    // And one that knows of the offer, but not of the claimant.
    const parent = claimed.sessionId
    const { handoffId: next } = await claimed.handoff({ toRole: "dev" })
    expect(await codeOf(one.reclaim({ workflowId: "w1", handoffId: next }))).toBe("handoff_not_claimed")
    const again = {
      workflowId: "w1",
      handoffId,
      parentSessionId: root.sessionId,
      role: "dev",
      agent: "d",
      sessionId: parent,
    }
    expect((await one.claim(again)).sessionId).toBe(parent)
  })

  test("a command that changed nothing keeps its key, also for the runtime in which the workflow was born (I8)", async () => {
    const place = placed(make)
    const { client: one } = await opened(place.layer())
    const { client: other } = await opened(place.layer())
    const root = await createRoot(one)
    const beat = { sessionId: root.sessionId }
    const first = await other.heartbeat(beat, { idempotencyKey: "beat" })
    await one.kill({ workflowId: "w1", scope: "workflow", reason: "stop" })
    expect(await one.heartbeat(beat, { idempotencyKey: "beat" })).toEqual(first)
    expect(await codeOf(one.fail({ ...beat, reason: "no" }, { idempotencyKey: "beat" }))).toBe("idempotency_mismatch")
  })

  test("a reader hears of an event although the store did not say that it was written", async () => {
    const place = placed(make)
    let isLost = false
    const { client } = await opened(place.layer(), {
      wrap: (journal) => ({
        ...journal,
        append: (group) =>
          Effect.flatMap(journal.append(group), (results) =>
            isLost
              ? Effect.fail(new StorageUnavailable({ detail: "The answer was lost.", reason: "connection" }))
              : Effect.succeed(results),
          ),
      }),
    })
    const root = await createRoot(client)
    const seen: Array<number> = []
    const stop = new AbortController()
    const reading = (async () => {
      for await (const { seq } of client.events({ workflowId: "w1", signal: stop.signal })) seen.push(seq)
    })()
    await until(() => seen.length === 1)
    // It has read all there is, and waits.
    for (let turn = 0; turn < 5; turn++) await client.getWorkflow("w1")
    isLost = true
    expect(await codeOf(root.propose(call()))).toBe("storage_unavailable")
    await until(() => seen.length === 2)
    stop.abort()
    await reading
  })
})
