/**
 * The app on `node:http`: its own small way from socket to `answer` and back, because the hot routes are the product.
 *
 * It prints nothing and handles no signal: whoever starts it decides. It does not listen beyond loopback while no key was made.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Schema } from "effect"
import type { EventStream } from "../events/EventStream.ts"
import { httpLimits } from "../limits.ts"
import { problem } from "../wire/problem.ts"
import { HttpProblem } from "./body.ts"
import type { HttpApp } from "./HttpApp.ts"
import type { Incoming, Reply } from "./Request.ts"

/** The server would be open to everybody: make a key first, or listen on loopback. */
export class KeysRequired extends Schema.TaggedError<KeysRequired>()("KeysRequired", { host: Schema.String }) {
  override get message(): string {
    return `Listening on ${this.host} needs API keys, and none was made yet. Make one, or listen on 127.0.0.1.`
  }
}
/** The address can't be listened on: `EADDRINUSE`, `EACCES`, … */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  host: Schema.String,
  port: Schema.Int,
  reason: Schema.String,
}) {
  override get message(): string {
    return `Can't listen on ${this.host}:${this.port}: ${this.reason}.`
  }
}

export interface ListenOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: a free one. */
  readonly port?: number
  /** Connections at once; more wait or are refused by the system. Default 25,000. */
  readonly maxConnections?: number
}

export interface Listening {
  /** Such as `http://127.0.0.1:4000`. */
  readonly url: string
  readonly port: number
  /** Whether requests need no key now: loopback, and none was made. */
  readonly isDevelopment: boolean
  /**
   * Stops: no new connections, streams end with a hint, what is under way is answered; after `graceMs` whatever is left is cut.
   * False where something was.
   */
  close(options?: { readonly graceMs?: number }): Promise<boolean>
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i
const localAddress = /^(::ffff:)?127\.|^::1$/
const mostConnections = 25_000

export const listen = async (app: HttpApp, options: ListenOptions = {}): Promise<Listening> => {
  const { host = "127.0.0.1", port = 0 } = options
  const hasKeys = await app.hasKeys()
  if (!hasKeys && !loopback.test(host)) throw new KeysRequired({ host })
  const server = createServer(
    {
      headersTimeout: httpLimits.receiveMs,
      requestTimeout: httpLimits.receiveMs,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5_000,
      noDelay: true,
    },
    (request, response) => void serve(app, request, response),
  )
  server.maxConnections = options.maxConnections ?? mostConnections
  server.on("clientError", refuseGarbage)
  await bind(server, host, port)
  const address = server.address() as AddressInfo
  const shown = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host
  let closing: Promise<boolean> | undefined
  return {
    url: `http://${shown}:${address.port}`,
    port: address.port,
    isDevelopment: !hasKeys,
    close: ({ graceMs = httpLimits.drainMs } = {}) => {
      closing ??= stop(server, app, graceMs)
      return closing
    },
  }
}

const bind = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void =>
      reject(new ListenFailed({ host, port, reason: error.code ?? error.message }))
    server.once("error", failed)
    server.listen({ host: host.replace(/^\[(.*)\]$/, "$1"), port }, () => {
      server.off("error", failed)
      resolve()
    })
  })

const stop = async (server: Server, app: HttpApp, graceMs: number): Promise<boolean> => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const drained = app.drain(graceMs)
  const sweep = setInterval(() => server.closeIdleConnections(), 50)
  server.closeIdleConnections()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), graceMs)
  })
  const ended = await Promise.race([closed.then(() => true as const), late])
  clearTimeout(timer)
  clearInterval(sweep)
  if (!ended) server.closeAllConnections()
  await closed
  return ended && (await drained)
}

// ---- one request ----

const serve = async (app: HttpApp, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { status, headers, body } = await app.answer(new NodeIncoming(request, response))
  if (response.destroyed) {
    if (body !== null && typeof body !== "string") body.close()
    return
  }
  if (body === null || typeof body === "string") return finish(app, request, response, { status, headers, body })
  response.writeHead(status, app.isStopping ? { ...headers, connection: "close" } : headers)
  await pour(body, response, app.slowReaderMs)
}

/** Names and values in turn are what `writeHead` takes with the least ado. */
const finish = (
  app: HttpApp,
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Reply & { readonly body: string | null },
): void => {
  const lines: Array<string> = []
  for (const name in headers) lines.push(name, headers[name] ?? "")
  const text = body ?? ""
  if (status !== 204 && headers["content-length"] === undefined)
    lines.push("content-length", String(Buffer.byteLength(text)))
  // A body that was refused unread would be taken for the next request: the connection ends with the answer.
  const isUnread = !request.complete && status >= 400
  if (isUnread || app.isStopping) lines.push("connection", "close")
  response.writeHead(status, lines)
  response.end(text)
  if (isUnread) response.once("finish", () => linger(request))
}

const lingerMs = 500
/** Lets the client read the answer before the connection is cut: what it still sends is thrown away for a moment. */
const linger = (request: IncomingMessage): void => {
  request.resume()
  const timer = setTimeout(() => request.destroy(), lingerMs)
  request.once("close", () => clearTimeout(timer))
}

/**
 * Writes one piece at a time, and the next when that is out: nothing is kept for a slow reader, and one that stands still is
 * cut.
 */
const pour = async (events: EventStream, response: ServerResponse, slowMs: number): Promise<void> => {
  response.once("close", () => events.close())
  response.flushHeaders()
  for (let bytes = await events.next(); bytes !== null; bytes = await events.next()) {
    if (response.write(bytes) || (await drained(response, slowMs))) continue
    response.destroy()
    return
  }
  response.end()
}

const drained = (response: ServerResponse, ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    const done = (is: boolean): void => {
      clearTimeout(timer)
      response.off("drain", onDrain)
      response.off("close", onClose)
      resolve(is)
    }
    const onDrain = (): void => done(true)
    const onClose = (): void => done(false)
    const timer = setTimeout(() => done(false), ms)
    response.once("drain", onDrain)
    response.once("close", onClose)
    if (response.destroyed) done(false)
  })

class NodeIncoming implements Incoming {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #left: AbortController | undefined

  constructor(request: IncomingMessage, response: ServerResponse) {
    const url = request.url ?? "/"
    const mark = url.indexOf("?")
    this.method = request.method ?? "GET"
    this.path = mark === -1 ? url : url.slice(0, mark)
    this.query = mark === -1 ? "" : url.slice(mark + 1)
    this.#request = request
    this.#response = response
  }

  get isLocal(): boolean {
    return localAddress.test(this.#request.socket.remoteAddress ?? "")
  }
  get signal(): AbortSignal {
    if (this.#left === undefined) {
      const left = new AbortController()
      this.#response.once("close", () => left.abort())
      this.#left = left
    }
    return this.#left.signal
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return typeof value === "object" ? value.join(", ") : value
  }
  body(max: number): Promise<Uint8Array | "tooLarge"> {
    return read(this.#request, max)
  }
}

/** Nobody is there to read what becomes of it. */
const gone = new HttpProblem(problem("invalid_request", "The body ended too early."))

const read = (request: IncomingMessage, max: number): Promise<Uint8Array | "tooLarge"> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= max) {
        chunks.push(chunk)
        return
      }
      request.pause()
      request.removeAllListeners("data")
      resolve("tooLarge")
    })
    request.once("end", () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size)),
    )
    request.once("error", () => reject(gone))
    request.once("close", () => {
      if (!request.complete) reject(gone)
    })
  })

/** What is no HTTP at all is answered like any other mistake, where there is still somebody to read it. */
const refuseGarbage = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy()
    return
  }
  const body = JSON.stringify(
    problem("invalid_request", "This is not an HTTP request that the server can read.", {
      errors: [{ path: "", message: error.code ?? "malformed" }],
    }),
  )
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
