/** The server on `node:http`: real sockets, and what only they can do wrong. */
import { connect } from "node:net"
import { describe, expect, onTestFinished, test } from "vitest"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import { MemoryKeys } from "../../src/adapters/http/auth/MemoryKeys.ts"
import { HttpApp, type HttpOptions } from "../../src/adapters/http/server/HttpApp.ts"
import { KeysRequired, ListenFailed, type Listening, listen } from "../../src/adapters/http/server/nodeServer.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { prefix, teamYaml } from "./fixtures.ts"
import { SseReader } from "./sse.ts"

const start = async (options: Partial<HttpOptions> = {}) => {
  const runtime = await Handrail.open({ store: "memory:" })
  const keys = new MemoryKeys()
  const defects: Array<unknown> = []
  const app = await HttpApp.open({ runtime, keys, onDefect: (error) => defects.push(error), ...options })
  const server = await listen(app)
  onTestFinished(async () => {
    await server.close({ graceMs: 1000 })
    await runtime.close()
    if (defects.length > 0) throw new Error(`defects: ${defects.map(String).join("; ")}`)
  })
  return { app, server, runtime, keys, post: poster(server) }
}
const poster =
  ({ url }: Listening) =>
  async (path: string, body: unknown) => {
    const response = await fetch(`${url}${prefix}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    })
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers member by member.
    const answer: any = await response.json()
    return { status: response.status, headers: response.headers, body: answer }
  }
const root = {
  agent: "a",
  session_id: "s1",
  workflow: { type: "root", workflow_id: "w1", role: "lead", definition: teamYaml },
}

/** Sends bytes as they are, and answers with all that comes back until the server ends the connection. */
const raw = ({ port }: Listening, ...parts: ReadonlyArray<string | Buffer>): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1")
    let text = ""
    socket.on("data", (data) => (text += data.toString()))
    socket.on("error", reject)
    socket.on("close", () => resolve(text))
    for (const part of parts) socket.write(part)
  })

describe("listening", () => {
  test("on loopback needs no key, says so, and answers", async () => {
    const { server, post } = await start()
    expect(server).toMatchObject({ isDevelopment: true, url: `http://127.0.0.1:${server.port}` })
    expect((await post("/sessions", root)).status).toBe(201)
    const beat = await post("/sessions/s1/heartbeat", {})
    expect([beat.status, beat.headers.get("handrail-seq")]).toEqual([200, "1"])
    expect(beat.headers.get("content-type")).toBe("application/json")
  })

  test("beyond loopback is refused while no key was made, and a taken port is said to be taken", async () => {
    const { app, server, keys } = await start()
    for (const host of ["0.0.0.0", "::", "192.0.2.1"])
      await expect(listen(app, { host })).rejects.toBeInstanceOf(KeysRequired)
    const taken = await listen(app, { port: server.port }).catch((error: unknown) => error)
    expect(taken).toBeInstanceOf(ListenFailed)
    expect(taken).toMatchObject({ reason: "EADDRINUSE", port: server.port })
    await new KeyRing(keys).create({ name: "first", scopes: ["read"] })
    await expect.poll(() => app.hasKeys(), { timeout: 5000 }).toBe(true)
    const wide = await listen(app, { host: "0.0.0.0" })
    expect(wide.isDevelopment).toBe(false)
    await wide.close()
  })
})

describe("a connection", () => {
  test("that speaks no HTTP is told so", async () => {
    const { server } = await start()
    const answer = await raw(server, "\u0016\u0003\u0001 hello\r\n\r\n")
    expect(answer).toContain("HTTP/1.1 400 Bad Request")
    expect(answer).toContain('"code":"invalid_request"')
    expect(await raw(server, `GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toContain(
      "HTTP/1.1 400",
    )
  })

  test("that sends too much hears 413 and is closed, whatever it says of the length", async () => {
    const { server } = await start({ maxBodyBytes: 1000 })
    const head = `POST ${prefix}/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`
    expect(await raw(server, `${head}Content-Length: 999999999\r\n\r\n{`)).toMatch(
      /^HTTP\/1\.1 413 [\s\S]*payload_too_large/,
    )
    const chunk = `400\r\n${" ".repeat(1024)}\r\n`
    expect(await raw(server, `${head}Transfer-Encoding: chunked\r\n\r\n`, chunk, chunk)).toMatch(/^HTTP\/1\.1 413 /)
  })

  test("that is cut in the middle of a body changes nothing and leaves nothing behind", async () => {
    const { app, server, post } = await start()
    await post("/sessions", root)
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => {
        const head = `POST ${prefix}/sessions/s1/fail HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`
        socket.write(`${head}Content-Length: 100\r\n\r\n{"reason":`, () => socket.destroy())
      })
      socket.on("close", () => resolve())
    })
    await expect.poll(() => app.figures().requests).toBe(0)
    expect((await post("/sessions/s1/heartbeat", {})).body.seq).toBe(1)
  })

  test("carries one request after another", async () => {
    const { server } = await start()
    const one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    const answer = await raw(server, one, one, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3)
    expect(answer.match(/\{"status":"ok"\}/g)).toHaveLength(2)
  })
})

describe("a stream of events", () => {
  test("whose reader does not read is cut, and memory is not spent on it", async () => {
    const { app, server, runtime } = await start({ slowReaderMs: 100 })
    const session = await runtime.createRoot({ workflowId: "w1", role: "lead", agent: "a", definition: teamYaml })
    for (let n = 0; n < 40; n++) await session.handoff({ toRole: "dev", summary: "x".repeat(400_000) })
    const socket = connect(server.port, "127.0.0.1")
    socket.write(`GET ${prefix}/workflows/w1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`)
    let size = 0
    let text = ""
    await new Promise<void>((resolve) => {
      socket.once("data", (data) => {
        size += data.length
        text += data.toString()
        socket.pause()
        resolve()
      })
    })
    await expect.poll(() => app.figures().streams, { timeout: 20_000, interval: 20 }).toBe(0)
    await new Promise<void>((resolve) => {
      socket.on("data", (data) => {
        size += data.length
        text += data.toString()
      })
      socket.on("error", () => {})
      socket.on("close", () => resolve())
      socket.resume()
    })
    // What the system had buffered came; the rest was never written.
    expect(size).toBeLessThan(40 * 400_000)
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)
    const again = await fetch(`${server.url}${prefix}/workflows/w1/events`, {
      headers: { accept: "text/event-stream", "last-event-id": ids.at(-1) ?? "0" },
    })
    const reader = new SseReader(again)
    expect((await reader.next())?.id).toBe(String(Number(ids.at(-1)) + 1))
    await reader.cancel()
  })

  test("that its reader leaves is given up", async () => {
    const { app, server, post } = await start()
    await post("/sessions", root)
    const stop = new AbortController()
    const response = await fetch(`${server.url}${prefix}/workflows/w1/events`, {
      headers: { accept: "text/event-stream" },
      signal: stop.signal,
    })
    const reader = new SseReader(response)
    await reader.take(1)
    expect(app.figures()).toMatchObject({ streams: 1, feeds: 1 })
    stop.abort()
    await expect.poll(() => app.figures()).toMatchObject({ streams: 0, feeds: 0 })
  })
})

describe("closing", () => {
  test("ends streams with a hint, answers what is under way, and takes no more connections", async () => {
    const { server, post } = await start()
    await post("/sessions", root)
    const response = await fetch(`${server.url}${prefix}/workflows/w1/events`, {
      headers: { accept: "text/event-stream" },
    })
    const reader = new SseReader(response)
    await reader.take(1)
    expect(await server.close({ graceMs: 10_000 })).toBe(true)
    expect(await reader.next()).toBeUndefined()
    expect(reader.retry).toBeGreaterThanOrEqual(1000)
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
  })

  test("cuts, after its time, whoever does not let go", async () => {
    const { app, server } = await start()
    const socket = connect(server.port, "127.0.0.1")
    socket.on("error", () => {})
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()))
    socket.write(
      `POST ${prefix}/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{`,
    )
    await expect.poll(() => app.figures().requests).toBe(1)
    expect(await server.close({ graceMs: 100 })).toBe(false)
    await closed
  })
})
