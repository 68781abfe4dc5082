/**
 * An HTTP server that answers by a script and remembers what it was asked. It knows no provider: `openaiStub.ts` and
 * `anthropicStub.ts` say what an answer looks like.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A piece of an answer, in no provider's words. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "thinking"; readonly id: string; readonly text: string }
  /** `arguments` is JSON text; of a custom tool, the text it is called with. */
  | {
      readonly type: "call"
      readonly id: string
      readonly name: string
      readonly arguments: string
      readonly custom?: true
    }
  /** A tool that the provider runs itself. */
  | { readonly type: "search"; readonly id: string; readonly query: string }

export interface StubAnswer {
  readonly parts: ReadonlyArray<Part>
  readonly id?: string
  readonly model?: string
  readonly usage?: { readonly input: number; readonly output: number; readonly cached?: number }
  /** Why it ended, where that is not what its parts say. */
  readonly stop?: string
}

/** `cutAfter`: the connection breaks behind so many of them. `until`: the rest waits for it. */
export interface Events {
  readonly events: ReadonlyArray<string>
  readonly bytesAtATime?: number
  readonly cutAfter?: number
  readonly until?: { readonly after: number; readonly promise: Promise<unknown> }
}

export type Reply =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly json: unknown }
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly text: string }
  | Events
  | "cut"
  | "never"

export interface StubRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly text: string
  /** The body, where it is JSON. */
  readonly json: Readonly<Record<string, unknown>>
  /** Resolves when the client has left, or the answer is through: then it says which. */
  readonly closed: Promise<"left" | "answered">
}

export type Script = (request: StubRequest) => Reply

export interface StubServer extends AsyncDisposable {
  readonly url: string
  readonly requests: ReadonlyArray<StubRequest>
  /** Answers of the next requests, in this order. Without one, the status is 500 and no client tries again. */
  readonly next: (...scripts: ReadonlyArray<Script | Reply>) => void
}

export const stubServer = async (): Promise<StubServer> => {
  const requests: Array<StubRequest> = []
  const scripts: Array<Script | Reply> = []
  const server = createServer((incoming, response) => {
    const closed = new Promise<"left" | "answered">((resolve) =>
      response.on("close", () => resolve(response.writableFinished ? "answered" : "left")),
    )
    received(incoming, closed)
      .then((request) => {
        requests.push(request)
        const script = scripts.shift()
        const reply: Reply =
          script === undefined
            ? {
                status: 500,
                headers: { "x-should-retry": "false" },
                json: { error: { message: "nothing is scripted" } },
              }
            : typeof script === "function"
              ? script(request)
              : script
        return answer(response, reply)
      })
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    next: (...more) => {
      scripts.push(...more)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const received = async (incoming: IncomingMessage, closed: StubRequest["closed"]): Promise<StubRequest> => {
  const pieces: Array<Buffer> = []
  for await (const piece of incoming) pieces.push(piece as Buffer)
  const text = Buffer.concat(pieces).toString()
  const isJson = incoming.headers["content-type"]?.includes("json") === true
  return {
    method: incoming.method ?? "",
    path: incoming.url ?? "",
    headers: incoming.headers,
    text,
    json: isJson ? (JSON.parse(text) as StubRequest["json"]) : {},
    closed,
  }
}

const answer = async (response: ServerResponse, reply: Reply): Promise<void> => {
  if (reply === "never") return
  if (reply === "cut") {
    response.destroy()
    return
  }
  if ("events" in reply) return streamed(response, reply)
  const isJson = "json" in reply
  response.writeHead(reply.status ?? 200, {
    "content-type": isJson ? "application/json" : "text/plain",
    "x-request-id": "req_1",
    "request-id": "req_1",
    ...reply.headers,
  })
  response.end(isJson ? JSON.stringify(reply.json) : reply.text)
}

const streamed = async (response: ServerResponse, { events, bytesAtATime, cutAfter, until }: Events): Promise<void> => {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1" })
  const written = async (bytes: Uint8Array): Promise<void> => {
    if (response.destroyed) return
    let done: () => void = () => {}
    await new Promise<void>((resolve) => {
      done = resolve
      response.once("close", done)
      response.write(bytes, () => resolve())
    })
    response.off("close", done)
  }
  for (const [index, event] of events.entries()) {
    if (index === cutAfter) {
      response.destroy()
      return
    }
    if (index === until?.after) await until.promise
    for (const piece of pieces(Buffer.from(event), bytesAtATime ?? Number.POSITIVE_INFINITY)) await written(piece)
  }
  response.end()
}

/** Bytes in pieces of this size: a letter of several bytes is broken where the border falls. */
export const pieces = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  size >= bytes.length
    ? [bytes]
    : Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      )

/** A text as a model streams it: a few letters at a time. */
export const deltas = (text: string, size = 4): ReadonlyArray<string> => {
  const letters = [...text]
  return Array.from({ length: Math.ceil(letters.length / size) }, (_, index) =>
    letters.slice(index * size, (index + 1) * size).join(""),
  )
}
