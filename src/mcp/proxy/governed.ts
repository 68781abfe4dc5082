/**
 * The upstream's tools as functions that `replay` governs. What the caller of one call brought along (its signal, its wish for
 * progress) reaches the function through the asynchronous context of that call.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import type { CallToolResult, Progress } from "@modelcontextprotocol/sdk/types.js"
import type { ToolContext } from "../../sdk/tools/Tools.ts"
import type { Upstream } from "./Upstream.ts"

export interface Caller {
  readonly signal: AbortSignal
  readonly onprogress: ((progress: Progress) => void) | undefined
}

/** The tool says itself that it failed. Whether it had an effect, nobody knows but its contract (`evidence_class`). */
export class ToolSaidError extends Error {
  override readonly name = "ToolSaidError"
  readonly result: CallToolResult

  constructor(tool: string, result: CallToolResult) {
    super(`${tool} answered with an error.`)
    this.result = result
  }
}

type Arguments = Record<string, unknown>
type ProxyTool = (args: Arguments, context: ToolContext) => Promise<CallToolResult>
export type ProxyTools = Readonly<Record<string, ProxyTool>>

export class GovernedCalls {
  readonly #callers = new AsyncLocalStorage<Caller>()

  /** The function behind a tool of the upstream's. */
  tool(name: string, upstream: Upstream): ProxyTool {
    return async (args, { signal, settle }) => {
      const caller = this.#callers.getStore()
      const result = await upstream.call(
        { name, arguments: args },
        {
          signal: caller === undefined ? signal : AbortSignal.any([signal, caller.signal]),
          onprogress: caller?.onprogress,
        },
      )
      if (result.isError === true) throw new ToolSaidError(name, result)
      settle({ evidence: outputOf(result) })
      return result
    }
  }

  run<A>(caller: Caller, call: () => Promise<A>): Promise<A> {
    return this.#callers.run(caller, call)
  }
}

/**
 * What contracts test and the journal keeps: the structured content, else a text's JSON, else the text; of anything else
 * nothing.
 */
const outputOf = ({ structuredContent, content }: CallToolResult): unknown => {
  if (structuredContent !== undefined) return structuredContent
  const [only, second] = content
  if (only?.type !== "text" || second !== undefined) return null
  try {
    return JSON.parse(only.text)
  } catch {
    return only.text
  }
}
