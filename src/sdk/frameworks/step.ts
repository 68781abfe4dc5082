/**
 * The step behind a call that an agents' framework makes: its fencing tokens and its settlement, for a tool that is written in
 * the framework's way and has no place for them in its arguments.
 */
import { ReplayConfigError } from "../errors.ts"
import type { ToolContext } from "../tools/Tools.ts"
import { joined } from "./signals.ts"

/** By the options that the tool was called with. A call's options are a new object each time. */
const contexts = new WeakMap<object, ToolContext>()

/**
 * What a governed tool may know of its step: `stepId`, `fences`, `settle`, and a `signal` that aborts at a kill, at the
 * contract's time limit, and when the framework's run is aborted. `options` are those that the tool was called with, the very
 * object: the second argument of an AI SDK tool, the third of an OpenAI Agents one.
 *
 * Throws `ReplayConfigError` where they are not of a governed call.
 */
export const stepOf = (options: object | undefined): ToolContext => {
  const context = options === undefined ? undefined : contexts.get(options)
  if (context !== undefined) return context
  throw new ReplayConfigError(
    "tools",
    "These are no options of a governed call. Give the tool to the session's adapter, and stepOf the options as they came.",
  )
}

/**
 * Runs a tool in its framework's way: with options that carry the step, and a signal that is the framework's and the step's. The
 * signals are let go of when the tool has ended.
 */
export const inStep = async <O extends object, A>(
  context: ToolContext,
  signals: ReadonlyArray<AbortSignal | undefined>,
  optionsFor: (signal: AbortSignal) => O,
  run: (options: O) => A | PromiseLike<A>,
): Promise<A> => {
  const { signal, release } = joined([context.signal, ...signals])
  const options = optionsFor(signal)
  contexts.set(options, { ...context, signal })
  try {
    return await run(options)
  } finally {
    release()
  }
}
