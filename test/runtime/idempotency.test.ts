/** An idempotency key changes state at most once and replays its first answer, whole (I8, semantics.md §10). */
import { describe, expect, it } from "vitest"
import { limits } from "../../src/runtime/limits.ts"
import { call, codeOf, createRoot, opened, placed, refusal } from "./fixtures.ts"
import { places } from "./open.ts"

const key = (idempotencyKey: string) => ({ idempotencyKey })

describe.each(places)("on %s", (_, makePlace) => {
  it("replays the whole answer, at once and after a restart, and changes nothing", async () => {
    const place = placed(makePlace)
    const first = await opened(place.layer())
    const root = await createRoot(first.client)
    const offer = { sessionId: root.sessionId, toRole: "dev", summary: { deep: [1, { two: null }] } }
    const told = await first.client.offer(offer, key("k1"))
    const proposal = { sessionId: root.sessionId, ...call({ resources: [{ name: "env", key: "prod" }] }) }
    const proposed = await first.client.propose(proposal, key("k2"))
    expect(await first.client.offer(offer, key("k1"))).toEqual(told)
    const { seq } = await first.client.getWorkflow("w1")
    await first.client.close()
    const { client } = await opened(place.layer())
    expect(await client.offer(offer, key("k1"))).toEqual(told)
    expect(await client.propose(proposal, key("k2"))).toEqual(proposed)
    expect((await client.getWorkflow("w1")).seq).toBe(seq)
  })

  it("refuses another command under a used key, at once and after a restart", async () => {
    const place = placed(makePlace)
    const first = await opened(place.layer())
    const root = await createRoot(first.client)
    await root.handoff({ toRole: "dev", summary: {} }, key("k1"))
    expect(await codeOf(root.handoff({ toRole: "dev", summary: { other: 1 } }, key("k1")))).toBe("idempotency_mismatch")
    await first.client.close()
    const { client } = await opened(place.layer())
    const again = await refusal(client.heartbeat({ sessionId: root.sessionId }, key("k1")))
    expect(again.code).toBe("idempotency_mismatch")
    expect(again.facts.key).toBe("k1")
  })

  it("decides a refused command anew under the same key", async () => {
    const { client } = await opened(placed(makePlace).layer())
    const root = await createRoot(client)
    const [step] = await root.propose(call({ resources: [{ name: "env", key: "prod" }] }))
    const wanted = call({ resources: [{ name: "env", key: "prod" }], arguments: { n: 2 } })
    expect(await codeOf(root.propose(wanted, key("k1")))).toBe("resource_pending")
    await root.receipt({ receipts: [{ stepId: step?.stepId ?? "", outcome: "committed" }] })
    expect(await codeOf(root.propose(wanted, key("k1")))).toBe("ok")
  })

  it("settles the usage of a refused proposal once per key, also across a restart (I3)", async () => {
    const place = placed(makePlace)
    const first = await opened(place.layer())
    const root = await createRoot(first.client)
    const refused = {
      sessionId: root.sessionId,
      ...call({ resources: [{ name: "nothing", key: "x" }] }),
      usage: { inputTokens: 5, outputTokens: 2, cost: 0.25 },
    }
    const used = async (client: typeof first.client) => (await client.getWorkflow("w1")).ledger.cost.used
    expect(await codeOf(first.client.propose(refused, key("k1")))).toBe("resource_unknown")
    expect(await codeOf(first.client.propose(refused, key("k1")))).toBe("resource_unknown")
    expect(await used(first.client)).toBe(0.25)
    await first.client.close()
    const { client } = await opened(place.layer())
    expect(await codeOf(client.propose(refused, key("k1")))).toBe("resource_unknown")
    expect(await used(client)).toBe(0.25)
    expect(await codeOf(client.propose(refused, key("k2")))).toBe("resource_unknown")
    expect(await used(client)).toBe(0.5)
  })

  it("remembers more keys than it keeps in memory", async () => {
    const { client } = await opened(placed(makePlace).layer())
    const root = await createRoot(client)
    const count = limits.answersKept + 20
    const reserve = (index: number) => root.preflight({ estimatedCost: 0, estimatedTokens: index }, key(`k${index}`))
    const told = await Promise.all(Array.from({ length: count }, (_, index) => reserve(index)))
    const { seq } = await client.getWorkflow("w1")
    for (const index of [0, 1, 10, count - 1]) expect(await reserve(index)).toEqual(told[index])
    expect((await client.getWorkflow("w1")).seq).toBe(seq)
    expect(await codeOf(root.preflight({ estimatedCost: 0, estimatedTokens: 7 }, key("k3")))).toBe(
      "idempotency_mismatch",
    )
  })

  it("two that arrive together under one key change state once and get one answer", async () => {
    const place = placed(makePlace)
    const [a, b] = [await opened(place.layer()), await opened(place.layer())]
    const root = await createRoot(a.client)
    const offer = { sessionId: root.sessionId, toRole: "dev", summary: {} }
    const told = await Promise.all([a, b, a, b].map(({ client }) => client.offer(offer, key("k1"))))
    for (const one of told) expect(one).toEqual(told[0])
    expect((await b.client.getWorkflow("w1")).ledger.openHandoffs.used).toBe(1)
  })
})

const forgets = async (makePlace: (typeof places)[number][1]): Promise<void> => {
  const place = placed(makePlace)
  const first = await opened(place.layer())
  const root = await createRoot(first.client)
  const [step] = await root.propose(call())
  const unknown = { sessionId: root.sessionId, receipts: [{ stepId: step?.stepId ?? "", outcome: "unknown" as const }] }
  await first.client.receipt(unknown)
  // It says what is known already: acknowledged, and nothing changes.
  const told = await first.client.receipt(unknown, key("k1"))
  await first.client.close()
  const { client } = await opened(place.layer())
  await client.receipt({ sessionId: root.sessionId, receipts: [{ stepId: step?.stepId ?? "", outcome: "committed" }] })
  expect(await client.receipt(unknown, key("k1"))).toEqual(told)
}
it.each(places)("on %s the key of a command that changed nothing is remembered too", (_, makePlace) =>
  forgets(makePlace),
)
