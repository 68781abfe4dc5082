/** Tools as their author writes them, and as the agent calls them once they are governed. */
import type { Fence } from "../../machines/ids.ts"

/** What a tool reports beside its result. */
export interface Settlement {
  /** Decimal money. Without it the estimate is settled. */
  readonly actualCost?: number
  readonly actualTokens?: number
  /** What the journal keeps in place of the result; `null` keeps nothing of it. JSON of at most 16,384 characters. */
  readonly evidence?: unknown
}

export interface ToolContext {
  /** Aborts at a kill, at the contract's `timeouts.total_ms`, and when the session is closed. Pass it on to whatever waits. */
  readonly signal: AbortSignal
  readonly stepId: string
  /** A token for each resource that the call holds, to hand to the system that is changed. */
  readonly fences: ReadonlyArray<Fence>
  /** Says what the call really cost. Never throws; the last call counts. */
  readonly settle: (settlement: Settlement) => void
}

/** Any function of arguments and context. `never` stands for the arguments, so that each tool may name its own. */
export type Tool = (args: never, context: ToolContext) => unknown
export type Tools = Readonly<Record<string, Tool>>

type Head<P extends ReadonlyArray<unknown>> = P extends readonly []
  ? []
  : P extends readonly [infer A, ...ReadonlyArray<unknown>]
    ? [args: A]
    : P extends readonly [(infer A)?, ...ReadonlyArray<unknown>]
      ? [args?: A]
      : []

/** The same arguments and result, without the context, and always a promise. */
export type GovernedTool<F extends Tool> = F extends (...all: infer P) => infer R
  ? (...args: Head<P>) => Promise<Awaited<R>>
  : never
export type GovernedTools<T extends Tools> = { readonly [K in keyof T]: GovernedTool<T[K]> }
