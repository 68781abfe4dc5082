/** Events are live and can be resumed, for any number of readers, from any runtime on the store. */
import { Cause, Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import type { JournalEvent } from "../../src/machines/events.ts"
import { WorkflowId } from "../../src/machines/ids.ts"
import { limits } from "../../src/runtime/limits.ts"
import { call, codeOf, createRoot, nothingUnhandled, opened, placed, until } from "./fixtures.ts"
import { memoryPlace, places, tenant } from "./open.ts"

/** Reads until `is`, and says all that came. */
const readUntil = async (
  events: AsyncIterable<JournalEvent>,
  is: (event: JournalEvent) => boolean,
): Promise<ReadonlyArray<JournalEvent>> => {
  const all: Array<JournalEvent> = []
  for await (const event of events) {
    all.push(event)
    if (is(event)) return all
  }
  return all
}

describe.each(places)("on %s", (_, makePlace) => {
  it("come live, in order and without a gap, to a runtime that did not cause them (I9)", async () => {
    const place = placed(makePlace)
    const [writer, reader] = [await opened(place.layer()), await opened(place.layer())]
    const root = await createRoot(writer.client)
    const heard = [writer, reader].map(({ client }) =>
      readUntil(client.events({ workflowId: "w1" }), ({ body }) => body._tag === "killed"),
    )
    for (let n = 0; n < 40; n++) await root.propose(call({ arguments: { n } }))
    await writer.client.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    const [own, others] = await Promise.all(heard)
    expect(own?.map((event) => event.seq)).toEqual(Array.from({ length: 42 }, (_, index) => index + 1))
    expect(others).toEqual(own)
  })

  it("are resumed after the last that was handled, across a restart", async () => {
    const place = placed(makePlace)
    const first = await opened(place.layer())
    const root = await createRoot(first.client)
    for (let n = 0; n < 5; n++) await root.propose(call())
    const handled = await readUntil(first.client.events({ workflowId: "w1" }), ({ seq }) => seq === 3)
    await first.client.close()
    const second = await opened(place.layer())
    const after = handled.at(-1)?.seq ?? 0
    const rest = readUntil(second.client.events({ workflowId: "w1", after }), ({ seq }) => seq === 7)
    await second.client.heartbeat({ sessionId: "w1-root" })
    await second.client.propose({ sessionId: "w1-root", ...call() })
    expect((await rest).map((event) => event.seq)).toEqual([4, 5, 6, 7])
  })

  it("wait for a slow reader, page after page, and hold nothing up", async () => {
    const { client } = await opened(placed(makePlace).layer())
    const root = await createRoot(client)
    const count = limits.eventPage + 50
    const slow = client.events({ workflowId: "w1" })[Symbol.asyncIterator]()
    expect((await slow.next()).value?.seq).toBe(1)
    await Promise.all(Array.from({ length: count }, (_, n) => root.propose(call({ arguments: { n } }))))
    const seqs: Array<number> = []
    for (let n = 0; n < count; n++) seqs.push((await slow.next()).value?.seq ?? 0)
    expect(seqs).toEqual(Array.from({ length: count }, (_, n) => n + 2))
    await slow.return?.()
  })

  it("end when the client closes, for a reader that waits and for one that is busy", async () => {
    nothingUnhandled()
    const { client } = await opened(placed(makePlace).layer())
    await createRoot(client)
    let isReading: () => void = () => {}
    const reading = new Promise<void>((resolve) => {
      isReading = resolve
    })
    const waiting = readUntil(client.events({ workflowId: "w1" }), () => {
      isReading()
      return false
    })
    const busy = client.events({ workflowId: "w1" })[Symbol.asyncIterator]()
    expect((await busy.next()).done).toBe(false)
    await reading
    await client.close()
    expect((await waiting).map((event) => event.seq)).toEqual([1])
    expect((await busy.next()).done).toBe(true)
    expect(await codeOf(client.events({ workflowId: "w1" })[Symbol.asyncIterator]().next())).toBe("closed")
  })

  it("of an unknown workflow are refused, and so is a place that is none", async () => {
    const { client } = await opened(placed(makePlace).layer())
    await createRoot(client)
    const first = (input: object) =>
      client
        .events(input as never)
        [Symbol.asyncIterator]()
        .next()
    expect(await codeOf(first({ workflowId: "nobody" }))).toBe("workflow_not_found")
    expect(await codeOf(first({ workflowId: "no body" }))).toBe("invalid_request")
    for (const after of [-1, 1.5, Number.NaN, "3", null])
      expect(await codeOf(first({ workflowId: "w1", after }))).toBe("invalid_request")
  })

  it("tell a reader of a kill that another runtime issued, while its own session works on", async () => {
    const place = placed(makePlace)
    const [agent, operator] = [await opened(place.layer()), await opened(place.layer())]
    const root = await createRoot(agent.client)
    let killed = false
    const heard = readUntil(
      agent.client.events({ workflowId: "w1", after: 1 }),
      ({ body }) => body._tag === "killed",
    ).then(() => {
      killed = true
    })
    await operator.client.kill({ scope: "session", sessionId: root.sessionId, reason: "stop" }, { workflowId: "w1" })
    await until(() => killed)
    await heard
    expect(await codeOf(root.propose(call()))).toBe("session_killed")
  })
})

it("a reader that is closed ends, whether it waits or is asked again, while its runtime goes on", async () => {
  const { client, governance } = await opened(placed(memoryPlace).layer())
  await createRoot(client)
  const reader = governance.reader(tenant, WorkflowId.make("w1"), 0)
  const ends = (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) && Cause.isDone(Cause.squash(exit.cause))
  expect(Exit.isSuccess(await Effect.runPromiseExit(reader.pull))).toBe(true)
  const waiting = Effect.runPromiseExit(reader.pull)
  reader.close()
  expect(ends(await waiting)).toBe(true)
  await client.propose({ sessionId: "w1-root", ...call() })
  expect(ends(await Effect.runPromiseExit(reader.pull))).toBe(true)
  expect(reader.after).toBe(1)
})
