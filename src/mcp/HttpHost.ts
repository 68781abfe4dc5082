/**
 * MCP's streamable HTTP on `node:http`, at `/mcp`: one server for each connection, which is one MCP session.
 *
 * Anybody who reaches it may act, so it listens on loopback only, unless a key is required. On loopback it answers only
 * requests that name this host and come from no web page of another: a page that a browser shows can't use it.
 */
import { createHash, randomUUID, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { KeysRequired, ListenFailed } from "../adapters/http/server/nodeServer.ts"
import { mcpLimits } from "./limits.ts"

export interface HttpHostOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** What a request has to carry as `Authorization: Bearer …`. */
  readonly key: string | undefined
  /** Made for each connection. */
  readonly makeServer: () => Server
  readonly log: (line: string) => void
}

export interface HttpHost {
  /** Of the endpoint. */
  readonly url: string
  /** Ends every connection. */
  close(): Promise<void>
}

interface Connection {
  readonly transport: StreamableHTTPServerTransport
  readonly server: Server
  /** Requests and streams under way. */
  open: number
  timer: NodeJS.Timeout | undefined
}

/** Throws `KeysRequired` for a host beyond loopback without a key, and `ListenFailed`. */
export const serveHttp = async (options: HttpHostOptions): Promise<HttpHost> => {
  const { host, port } = options
  if (options.key === undefined && !loopback.test(host)) throw new KeysRequired({ host })
  const connections = new Map<string, Connection>()
  const node = createServer((request, response) => {
    handle(request, response, connections, options).catch((error: unknown) => {
      options.log(`a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      if (!response.headersSent) refuse(response, 500, "The request failed. The log has more.")
      response.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    node.once("error", (error: NodeJS.ErrnoException) => {
      reject(new ListenFailed({ host, port, reason: error.code ?? "unknown" }))
    })
    node.listen(port, host, resolve)
  })
  const { address, family, port: taken }: AddressInfo = boundTo(node.address())
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${taken}/mcp`,
    close: async () => {
      await Promise.all(Array.from(connections.values(), ({ server }) => server.close()))
      const closed = new Promise<void>((resolve) => node.close(() => resolve()))
      node.closeAllConnections()
      await closed
    },
  }
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/

const boundTo = (address: AddressInfo | string | null): AddressInfo => {
  if (typeof address === "object" && address !== null) return address
  throw new Error("a server that listens has no address")
}

const handle = async (
  request: IncomingMessage,
  response: ServerResponse,
  connections: Map<string, Connection>,
  options: HttpHostOptions,
): Promise<void> => {
  const fault = faultOf(request, options)
  if (fault !== undefined) return refuse(response, ...fault)
  const id = request.headers["mcp-session-id"]
  if (typeof id === "string") {
    const connection = connections.get(id)
    // What clients take for: initialize anew.
    if (connection === undefined) return refuse(response, 404, "There is no such MCP session. Initialize a new one.")
    return pass(connection, request, response)
  }
  if (connections.size >= mcpLimits.connections)
    return refuse(response, 503, `${connections.size} connections are open. Try again later.`)
  const server = options.makeServer()
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    maxRequestBodySize: mcpLimits.bodyBytes,
    onsessioninitialized: (made) => {
      connections.set(made, connection)
    },
  })
  const connection: Connection = { transport, server, open: 0, timer: undefined }
  const onclose = server.onclose
  server.onclose = () => {
    clearTimeout(connection.timer)
    if (transport.sessionId !== undefined) connections.delete(transport.sessionId)
    onclose?.()
  }
  await server.connect(asTransport(transport))
  await pass(connection, request, response)
  // It did not begin with an initialize, and the transport has said so.
  if (transport.sessionId === undefined) await server.close()
}

/** It is one; only its optional members are declared in a way that exact optional types don't take. */
const asTransport = (transport: StreamableHTTPServerTransport): Transport => transport as Transport

const pass = async (connection: Connection, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  connection.open += 1
  clearTimeout(connection.timer)
  response.once("close", () => {
    connection.open -= 1
    if (connection.open > 0) return
    connection.timer = setTimeout(() => void connection.server.close(), mcpLimits.idleMs)
    connection.timer.unref()
  })
  await connection.transport.handleRequest(request, response)
}

type Fault = readonly [status: number, message: string]

const faultOf = (request: IncomingMessage, { key, host }: HttpHostOptions): Fault | undefined => {
  const [path] = (request.url ?? "").split("?")
  if (path !== "/mcp") return [404, "The endpoint is /mcp."]
  if (loopback.test(host)) {
    const { origin } = request.headers
    if (!isLocal(`http://${request.headers.host}`)) return [403, "Name this machine in the Host header."]
    if (origin !== undefined && !isLocal(origin)) return [403, "Pages of other sites may not use it."]
  }
  if (key !== undefined && !isKey(request.headers.authorization, key))
    return [401, "Send the key as Authorization: Bearer …"]
  return undefined
}

const isLocal = (url: string): boolean =>
  URL.canParse(url) && loopback.test(new URL(url).hostname.replace(/^\[(.*)\]$/, "$1"))

const isKey = (authorization: string | undefined, key: string): boolean => {
  const [, given = ""] = /^Bearer (.+)$/i.exec(authorization ?? "") ?? []
  return timingSafeEqual(digest(given), digest(key))
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const refuse = (response: ServerResponse, status: number, message: string): void => {
  response.writeHead(status, {
    "content-type": "application/json",
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
  })
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32_000, message }, id: null }))
}
