/**
 * An MCP server that stands before another one: the same resources, prompts and messages, and its tools under contracts.
 *
 * Listed are the tools that may be called now. A call that the contracts or the workflow refuse never reaches the upstream
 * server; a kill cancels what is under way there, and refuses every later call.
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import {
  type CallToolRequest,
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
  type Progress,
  type ServerCapabilities,
  SetLevelRequestSchema,
  type Tool,
} from "@modelcontextprotocol/sdk/types.js"
import { Schema } from "effect"
import { Name } from "../../machines/ids.ts"
import type { ReplaySession } from "../../sdk/ReplaySession.ts"
import { bug, type Refusal, refusal, refusalOf } from "../results.ts"
import { type Caller, GovernedCalls, type ProxyTools, ToolSaidError } from "./governed.ts"
import { type Upstream, UpstreamFailed } from "./Upstream.ts"

export interface ProxyOptions {
  readonly upstream: Upstream
  readonly version: string
  /** `replay` for these tools, with the caller's contracts. */
  readonly open: (tools: ProxyTools) => ReplaySession<ProxyTools>
  readonly log: (line: string) => void
}

export interface Proxy {
  readonly server: Server
  readonly session: ReplaySession<ProxyTools>
}

/** Rejects with what the upstream server, the contracts or the workflow refuse. */
export const makeProxy = async ({ upstream, version, open, log }: ProxyOptions): Promise<Proxy> => {
  const calls = new GovernedCalls()
  const first = await upstream.tools()
  const session = open(toolsOf(first, calls, upstream, log))
  await session.ready()
  const server = new Server(
    { name: "handrail-proxy", version },
    {
      capabilities: offered(upstream.capabilities),
      ...(upstream.instructions === undefined ? {} : { instructions: upstream.instructions }),
    },
  )
  const governed = new Governed(server, upstream, session, calls, log)
  server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: [...(await governed.list())] }))
  server.setRequestHandler(CallToolRequestSchema, ({ params }, { signal, sendNotification }) => {
    const progressToken = params._meta?.progressToken
    const onprogress =
      progressToken === undefined
        ? undefined
        : (progress: Progress): void => {
            const params = { ...progress, progressToken }
            // The caller has gone, or soon will be heard to have.
            sendNotification({ method: "notifications/progress", params }).catch(() => {})
          }
    return governed.call(params, { signal, onprogress })
  })
  session.signal.addEventListener("abort", () => void governed.tellChange(), { once: true })
  pass(server, upstream)
  return { server, session }
}

class Governed {
  readonly #server: Server
  readonly #upstream: Upstream
  readonly #session: ReplaySession<ProxyTools>
  readonly #calls: GovernedCalls
  readonly #log: (line: string) => void
  /** Tools whose results have a schema: a refusal must not claim to be one. */
  #structured: ReadonlySet<string> = new Set()
  #allowed: string | undefined

  constructor(
    server: Server,
    upstream: Upstream,
    session: ReplaySession<ProxyTools>,
    calls: GovernedCalls,
    log: (line: string) => void,
  ) {
    this.#server = server
    this.#upstream = upstream
    this.#session = session
    this.#calls = calls
    this.#log = log
  }

  /** The upstream's tools that may be called now; none once the session has ended. */
  async list(): Promise<ReadonlyArray<Tool>> {
    const tools = await this.#upstream.tools()
    this.#structured = new Set(tools.flatMap(({ name, outputSchema }) => (outputSchema === undefined ? [] : [name])))
    const allowed = new Set(this.#allowedNow())
    this.#allowed = [...allowed].join("\n")
    return tools.filter(({ name }) => allowed.has(name))
  }

  async call({ name, arguments: args = {} }: CallToolRequest["params"], caller: Caller): Promise<CallToolResult> {
    const tool = this.#session.tools[name]
    if (tool === undefined)
      return this.#refused(
        name,
        refusal(
          "no_contract",
          `${name} is no tool that was there, and could be governed, when the proxy started.`,
          false,
        ),
      )
    try {
      return await this.#calls.run(caller, () => tool(args))
    } catch (error) {
      // In the tool's own words.
      if (error instanceof ToolSaidError) return error.result
      return this.#refused(name, this.#refusalOf(error, name))
    } finally {
      await this.tellChange()
    }
  }

  #refusalOf(error: unknown, tool: string): Refusal {
    const known = refusalOf(error)
    if (known !== undefined) return known
    if (error instanceof UpstreamFailed) return refusal("upstream_failed", error.message, false, { tool })
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof Error && "code" in error && typeof error.code === "number")
      return refusal("upstream_error", message, false, { tool, code: error.code })
    if (this.#session.signal.aborted || isAbort(error)) return refusal("cancelled", message, false, { tool })
    this.#log(`a bug: ${error instanceof Error ? (error.stack ?? message) : message}`)
    return bug
  }

  #refused(tool: string, { code, detail, retryable, facts }: Refusal): CallToolResult {
    const structured = { code, detail, retryable, facts }
    return {
      content: [{ type: "text", text: JSON.stringify(structured) }],
      // Clients check the structured content of an error, too, and the schema is the upstream's.
      ...(this.#structured.has(tool) ? {} : { structuredContent: structured }),
      _meta: { "handrail/refusal": structured },
      isError: true,
    }
  }

  #allowedNow(): ReadonlyArray<string> {
    try {
      return this.#session.allowedTools()
    } catch {
      // It has ended, and every call says how.
      return []
    }
  }

  /** After each call other tools may be allowed than were listed. */
  async tellChange(): Promise<void> {
    if (this.#allowed === undefined) return
    const now = this.#allowedNow().join("\n")
    if (now === this.#allowed) return
    this.#allowed = now
    await this.#server.sendToolListChanged().catch(() => {})
  }
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError"

const isName = Schema.is(Name)

const toolsOf = (
  tools: ReadonlyArray<Tool>,
  calls: GovernedCalls,
  upstream: Upstream,
  log: (line: string) => void,
): ProxyTools => {
  const named = tools.filter(({ name }) => isName(name))
  for (const { name } of tools)
    if (!isName(name)) log(`the tool ${JSON.stringify(name)} is left out: no contract can name it`)
  return Object.fromEntries(named.map(({ name }) => [name, calls.tool(name, upstream)]))
}

/** What the upstream server offers and a proxy can pass on; its tools change with the phases of the session. */
const offered = ({ tools: _tools, tasks: _tasks, experimental: _experimental, ...rest }: ServerCapabilities) => ({
  ...rest,
  tools: { listChanged: true },
})

/** Everything that is no tool goes through as it is, both ways. */
const pass = (server: Server, upstream: Upstream): void => {
  if (upstream.capabilities.logging !== undefined)
    server.setRequestHandler(SetLevelRequestSchema, ({ params }, { signal }) =>
      upstream.ask("logging/setLevel", params, { signal, onprogress: undefined }),
    )
  server.fallbackRequestHandler = ({ method, params }, { signal }) =>
    upstream.ask(method, params, { signal, onprogress: undefined })
  server.fallbackNotificationHandler = (notification) => upstream.notify(notification)
  // Nobody may listen yet, or any more.
  upstream.onNotification = (notification) => void server.notification(notification).catch(() => {})
}
