/** Streams of events through a client: each event once and in order, whatever becomes of the connections. */
import { describe, expect, test } from "vitest"
import { clientLimits } from "../../src/adapters/http/client/limits.ts"
import { SseOverflow, SseParser } from "../../src/adapters/http/client/SseParser.ts"
import type { JournalEvent } from "../../src/machines/events.ts"
import type { Client } from "../../src/runtime/Client.ts"
import { connected, type Fetch, gated, reset, serve, thrown } from "./clientServers.ts"
import { teamYaml } from "./fixtures.ts"

const root = { workflowId: "w1", role: "lead", agent: "planner", sessionId: "lead", definition: teamYaml }
const offerMany = async (client: Client, count: number): Promise<void> => {
  for (let n = 0; n < count; n++) {
    const { handoffId } = await client.offer({ sessionId: "lead", toRole: "dev" })
    await client.withdraw({ workflowId: "w1", handoffId })
  }
}

/** What is read, until there are as many. */
const taken = async (client: Client, count: number, after = 0): Promise<ReadonlyArray<JournalEvent>> => {
  const events: Array<JournalEvent> = []
  for await (const event of client.events({ workflowId: "w1", after })) if (events.push(event) === count) break
  return events
}

/** Lets so much of each stream through, and then cuts it, or ends it, or falls silent. */
const cutting = (bytes: (stream: number) => number, how: "cut" | "end" | "silence" = "cut") => {
  let streams = 0
  const resumed: Array<number> = []
  const cut: Fetch = async (url, init) => {
    const response = await fetch(url, init)
    if (response.body === null || !url.includes("/events") || !response.ok) return response
    resumed.push(Number(new Headers(init.headers).get("last-event-id")))
    let left = bytes(streams)
    streams += 1
    const reader = response.body.getReader()
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (left <= 0) {
          if (how === "silence") return new Promise<void>(() => {})
          await reader.cancel()
          return how === "end" ? controller.close() : controller.error(new Error("cut"))
        }
        const { done, value } = await reader.read()
        if (done) return controller.close()
        controller.enqueue(value.subarray(0, left))
        left -= value.length
      },
      cancel: (reason) => reader.cancel(reason),
    })
    return new Response(body, { status: response.status, headers: response.headers })
  }
  return { fetch: cut, resumed, streams: () => streams }
}

describe("a stream that is cut", () => {
  test("anywhere resumes after the last event: none is lost, none comes twice, none out of turn", async () => {
    const { runtime, url, key } = await serve()
    await runtime.createRoot(root)
    await offerMany(runtime, 20)
    // Wherever the cut is, in a word, between two events or in the middle of a character.
    const line = cutting((stream) => 300 + ((stream * 137) % 700))
    const client = connected({ url, apiKey: key, fetch: line.fetch })
    expect(await taken(client, 41)).toEqual(await taken(runtime, 41))
    expect(line.streams()).toBeGreaterThan(10)
    expect(line.resumed).toEqual(line.resumed.toSorted((a, b) => a - b))
  })

  test("by silence is noticed, and replaced by one that lives", async () => {
    const { runtime, url, key } = await serve({ heartbeatMs: 20 })
    await runtime.createRoot(root)
    const line = cutting((stream) => (stream === 0 ? 15 : Number.POSITIVE_INFINITY), "silence")
    const client = connected({ url, apiKey: key, fetch: line.fetch, silenceMs: 200 })
    expect(await taken(client, 1)).toMatchObject([{ seq: 1 }])
    expect(line.streams()).toBe(2)
  })

  test("is not replaced while comments show that it lives", async () => {
    const { runtime, url, key } = await serve({ heartbeatMs: 20 })
    await runtime.createRoot(root)
    const line = cutting(() => Number.POSITIVE_INFINITY)
    const client = connected({ url, apiKey: key, fetch: line.fetch, silenceMs: 1000 })
    const reading = taken(client, 3)
    const until = performance.now() + 2200
    await expect.poll(() => performance.now() > until, { timeout: 5000 }).toBe(true)
    await offerMany(runtime, 1)
    expect((await reading).map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect(line.streams()).toBe(1)
  })

  test("by a server that stops is resumed at the one that takes its place", async () => {
    const first = await serve()
    await first.runtime.createRoot(root)
    const client = first.connect()
    const seen: Array<number> = []
    const reading = (async () => {
      for await (const { seq } of client.events({ workflowId: "w1" })) if (seen.push(seq) === 3) break
    })()
    await expect.poll(() => seen.length).toBe(1)
    await first.listening.close({ graceMs: 500 })
    // Another server of the same store; the client's key is one of the first's.
    const again = await serve({ runtime: first.runtime, port: first.listening.port, keys: first.keys })
    await offerMany(again.runtime, 1)
    await reading
    expect(seen).toEqual([1, 2, 3])
  })

  test("for good ends in an error that says so, within its time, and can be resumed", async () => {
    const { runtime, listening, connect } = await serve()
    await runtime.createRoot(root)
    const client = connect({ timeoutMs: 600 })
    const iterator = client.events({ workflowId: "w1" })[Symbol.asyncIterator]()
    expect((await iterator.next()).value).toMatchObject({ seq: 1 })
    const waiting = thrown(iterator.next())
    await listening.close({ graceMs: 0 })
    expect(await waiting).toMatchObject({ code: "storage_unavailable", facts: { reason: "unreachable" } })
  })
})

describe("a stream", () => {
  test("ends with its signal, while it waits and while it reconnects", async () => {
    const { runtime, url, key } = await serve()
    await runtime.createRoot(root)
    for (const fetch of [undefined, gated((_, pass, count) => (count > 1 ? reset() : pass())).fetch]) {
      const stop = new AbortController()
      const client = connected({ url, apiKey: key, ...(fetch === undefined ? {} : { fetch }) })
      const iterator = client.events({ workflowId: "w1", signal: stop.signal })[Symbol.asyncIterator]()
      await iterator.next()
      const waiting = iterator.next()
      stop.abort()
      expect(await waiting).toMatchObject({ done: true })
    }
    const before = AbortSignal.abort()
    for await (const _ of connected({ url, apiKey: key }).events({ workflowId: "w1", signal: before }))
      throw new Error("it had ended")
  })

  test("leaves no connection behind when its reader has had enough", async () => {
    const { app, runtime, connect } = await serve()
    await runtime.createRoot(root)
    expect(await taken(connect(), 1)).toHaveLength(1)
    await expect.poll(() => app.figures().streams).toBe(0)
  })

  test("is not read ahead of a slow reader, which misses nothing when the server lets go of it", async () => {
    const { app, runtime, connect } = await serve({ slowReaderMs: 50 })
    await runtime.createRoot(root)
    const summary = "x".repeat(400_000)
    for (let n = 0; n < 12; n++) {
      const { handoffId } = await runtime.offer({ sessionId: "lead", toRole: "dev", summary })
      await runtime.withdraw({ workflowId: "w1", handoffId })
    }
    const seqs: Array<number> = []
    for await (const { seq } of connect().events({ workflowId: "w1" })) {
      seqs.push(seq)
      // The server has given up before the second is asked for.
      if (seq === 1) await expect.poll(() => app.figures().streams, { timeout: 10_000 }).toBe(0)
      if (seq === 25) break
    }
    expect(seqs).toEqual(Array.from({ length: 25 }, (_, n) => n + 1))
  })

  const frames = (...seqs: ReadonlyArray<number>): Response =>
    new Response(
      seqs
        .map((seq) => {
          const data = { handoff_id: "h1" }
          return `id: ${seq}\ndata: ${JSON.stringify({ seq, at: 1, actor: "a", type: "handoff.expired", data })}\n\n`
        })
        .join(""),
      { headers: { "content-type": "text/event-stream" } },
    )

  test("that says an event twice or leaves one out gives each once, and at last refuses to go on", async () => {
    const answers = [frames(1, 2, 2, 1, 3), frames(3, 4, 6), frames(5, 7), frames(7), frames(8, 9)]
    const gate = gated((_, __, count) => answers[count - 1] ?? frames(9))
    const client = connected({ url: "http://192.0.2.1", fetch: gate.fetch })
    const seqs: Array<number> = []
    const reading = (async () => {
      for await (const { seq } of client.events({ workflowId: "w1" })) seqs.push(seq)
    })()
    expect(await thrown(reading)).toMatchObject({ code: "internal", facts: { after: 5 } })
    expect(seqs).toEqual([1, 2, 3, 4, 5])
    expect(gate.seen.map(({ headers }) => headers.get("last-event-id"))).toEqual(["0", "3", "4", "5", "5"])
  })

  test("with something that is no event of this version fails at once, without a retry", async () => {
    const strange = 'data: {"seq":1,"at":1,"actor":"a","type":"from.the.future","data":{}}\n\n'
    for (const text of [strange, "data: {\n\n"]) {
      const gate = gated(() => new Response(text, { headers: { "content-type": "text/event-stream" } }))
      const client = connected({ url: "http://192.0.2.1", fetch: gate.fetch })
      expect(await thrown(taken(client, 1))).toMatchObject({ code: "internal" })
      expect(gate.seen).toHaveLength(1)
    }
  })
})

describe("server-sent events", () => {
  test("are read whatever their lines end with, and wherever the text is cut", () => {
    const text =
      ": hi\nretry: 70\n\nid: 1\nevent: x\ndata: a\ndata:b\n\ndata\n\nid:2\ndata: c: d\nunknown: 1\n\nevent: none\n\n"
    for (const end of ["\n", "\r\n", "\r"])
      for (let cut = 0; cut <= text.length; cut++) {
        const whole = text.replaceAll("\n", end)
        const parser = new SseParser()
        const events = [...parser.push(whole.slice(0, cut)), ...parser.push(whole.slice(cut)), ...parser.push("\n")]
        expect(events).toEqual([
          { id: "1", data: "a\nb" },
          { id: undefined, data: "" },
          { id: "2", data: "c: d" },
        ])
        expect(parser.retryMs).toBe(70)
      }
  })

  test("have a bound, in one line and over many", () => {
    const half = "x".repeat(clientLimits.eventChars / 2 + 1)
    const line = new SseParser()
    line.push(half)
    expect(() => line.push(half)).toThrow(SseOverflow)
    const lines = new SseParser()
    lines.push(`data: ${half}\n`)
    expect(() => lines.push(`data: ${half}\n`)).toThrow(SseOverflow)
  })
})
