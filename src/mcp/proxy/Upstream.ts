/**
 * The MCP server that is governed: a process of ours on stdio, or one at a URL. It sees a client, and nothing of Handrail: no
 * key and no store of ours is in its environment.
 *
 * Once it is gone, every call of it is refused with `upstream_failed`; it is not started again, because what its calls were
 * doing is for somebody to find out.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import {
  type CallToolRequest,
  type CallToolResult,
  CallToolResultSchema,
  type Notification,
  type Progress,
  type Result,
  ResultSchema,
  type ServerCapabilities,
  type Tool,
} from "@modelcontextprotocol/sdk/types.js"
import { mcpLimits } from "../limits.ts"

export type UpstreamPlace =
  | { readonly command: string; readonly args: ReadonlyArray<string> }
  | { readonly url: string; readonly key: string | undefined }

/** The upstream server could not be started or reached, or is gone. */
export class UpstreamFailed extends Error {
  override readonly name = "UpstreamFailed"
}

export interface CallOptions {
  readonly signal: AbortSignal
  readonly onprogress: ((progress: Progress) => void) | undefined
}

export class Upstream {
  readonly #client: Client
  #gone: string | undefined
  /** Every notification but progress and cancellation, which belong to a call. */
  onNotification: (notification: Notification) => void = () => {}
  onGone: (why: string) => void = () => {}

  private constructor(client: Client) {
    this.#client = client
    client.fallbackNotificationHandler = async (notification) => this.onNotification(notification)
    client.onclose = () => {
      this.#gone ??= "The governed MCP server is gone."
      this.onGone(this.#gone)
    }
  }

  /** Rejects with `UpstreamFailed`. */
  static async connect(place: UpstreamPlace, version: string): Promise<Upstream> {
    const client = new Client({ name: "handrail-proxy", version }, { capabilities: {} })
    const upstream = new Upstream(client)
    try {
      await client.connect(transportTo(place), { timeout: mcpLimits.upstreamStartMs })
    } catch (error) {
      await client.close()
      const what = "command" in place ? place.command : new URL(place.url).host
      throw new UpstreamFailed(`The MCP server ${what} does not answer: ${messageOf(error)}`, { cause: error })
    }
    return upstream
  }

  get capabilities(): ServerCapabilities {
    return this.#client.getServerCapabilities() ?? {}
  }

  get instructions(): string | undefined {
    return this.#client.getInstructions()
  }

  /** All of its tools, by all pages. */
  async tools(): Promise<ReadonlyArray<Tool>> {
    if (this.capabilities.tools === undefined) return []
    const all: Array<Tool> = []
    let cursor: string | undefined
    for (let page = 0; page < mcpLimits.upstreamPages; page += 1) {
      const { tools, nextCursor } = await this.#try(() =>
        this.#client.listTools(cursor === undefined ? {} : { cursor }),
      )
      all.push(...tools)
      if (all.length > mcpLimits.upstreamTools) break
      if (nextCursor === undefined) return all
      cursor = nextCursor
    }
    throw new UpstreamFailed(`The MCP server lists more than ${mcpLimits.upstreamTools} tools.`)
  }

  /** The signal cancels the call there, too. */
  call(params: CallToolRequest["params"], options: CallOptions): Promise<CallToolResult> {
    return this.#try(() =>
      this.#client.request({ method: "tools/call", params }, CallToolResultSchema, requestOptions(options)),
    )
  }

  /** Any other request, as it is. */
  ask(method: string, params: Result | undefined, options: CallOptions): Promise<Result> {
    const request = params === undefined ? { method } : { method, params }
    return this.#client.request(request, ResultSchema, requestOptions(options))
  }

  async notify(notification: Notification): Promise<void> {
    if (this.#gone === undefined) await this.#client.notification(notification)
  }

  async close(): Promise<void> {
    this.onGone = () => {}
    await this.#client.close()
  }

  /** Where it has gone meanwhile, that is why. */
  async #try<A>(ask: () => Promise<A>): Promise<A> {
    if (this.#gone !== undefined) throw new UpstreamFailed(this.#gone)
    try {
      return await ask()
    } catch (error) {
      throw this.#gone === undefined ? error : new UpstreamFailed(this.#gone, { cause: error })
    }
  }
}

const requestOptions = ({ signal, onprogress }: CallOptions) => ({
  signal,
  timeout: mcpLimits.callMs,
  ...(onprogress === undefined ? {} : { onprogress }),
})

const transportTo = (place: UpstreamPlace): Transport => {
  if ("command" in place)
    return new StdioClientTransport({
      command: place.command,
      args: [...place.args],
      env: environment(),
      stderr: "inherit",
    })
  const { url, key } = place
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  // It is a transport; only its optional members are declared in a way that exact optional types don't take.
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }) as Transport
}

/** Whoever started the proxy set the environment for its server; what is ours is not for it. */
const environment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith("HANDRAIL_") ? [] : [[name, value]],
    ),
  )

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
