/**
 * Tools of the AI SDK whose `execute` is run by the session: the step that was admitted with the model's answer is the one that
 * runs, under its contract's time limit, with its fencing tokens, and with a receipt whatever becomes of it.
 */
import type { ToolExecutionOptions } from "ai"
import { type AnySession, pipelineOf } from "../frameworks/Asked.ts"
import { asData } from "../frameworks/data.ts"
import { inStep } from "../frameworks/step.ts"
import type { ToolRunner } from "../tools/ToolRunner.ts"
import { Handover } from "./Handover.ts"

type Execute = (input: unknown, options: ToolExecutionOptions) => unknown

/** Any tools of the AI SDK. Its own type refuses those without `execute` under `exactOptionalPropertyTypes`. */
export type ToolTable = Readonly<Record<string, { readonly inputSchema: unknown; readonly execute?: unknown }>>

/**
 * The same tools, governed, for `tools` of `generateText`, `streamText` and agents: their types stay as they are. The session
 * needs no `tools` of its own; each name has its contract. A tool without `execute` stays as it is: its call is admitted when the
 * model makes it, and settled by the result in the next request.
 *
 * `execute` is called with the same input, and options whose `abortSignal` also aborts at a kill, at the contract's time limit
 * and when the session is closed; `stepOf(options)` gives its fencing tokens. What it throws goes to the model, as the AI SDK
 * does it; so does a kill, and then the next call of the governed model rejects with it.
 */
export const governedTools = <T extends ToolTable>(session: AnySession, tools: T): T => {
  const { runner } = pipelineOf(session)
  const governed: T = { ...tools }
  for (const [name, tool] of Object.entries(tools)) {
    const { execute } = tool
    if (typeof execute !== "function") continue
    // As it is called by the AI SDK: as a method of its tool.
    const bound: Execute = (input, options) => Reflect.apply(execute, tool, [input, options])
    Reflect.set(governed, name, { ...tool, execute: governedExecute(runner, name, bound, isGenerator(execute)) })
  }
  return governed
}

const governedExecute = (runner: ToolRunner, name: string, execute: Execute, isStreamed: boolean): Execute => {
  const call = runner.adopt(name)
  const run = (input: unknown, options: ToolExecutionOptions, emit?: Emit): Promise<unknown> =>
    call(
      asData(input),
      (_: unknown, context) =>
        inStep(
          context,
          [options.abortSignal],
          (abortSignal) => ({ ...options, abortSignal }),
          async (within) => {
            const result: unknown = await execute(input, within)
            return isAsyncIterable(result) ? lastOf(result, emit) : result
          },
        ),
      options.toolCallId,
    )
  return isStreamed ? (input, options) => streamed((emit) => run(input, options, emit)) : run
}

/** Hands a preliminary result on. */
type Emit = (value: unknown) => Promise<void>

/** The step lasts as long as its tool does, and is committed with the last of its results. */
const streamed = (run: (emit: Emit) => Promise<unknown>): AsyncIterable<unknown> => {
  const parts = new Handover<unknown>()
  run((value) => parts.give(value)).then(
    () => parts.end(),
    (error: unknown) => parts.end({ error }),
  )
  return parts.values()
}

const lastOf = async (results: AsyncIterable<unknown>, emit: Emit | undefined): Promise<unknown> => {
  let last: unknown
  for await (const result of results) {
    last = result
    await emit?.(result)
  }
  return last
}

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value

/**
 * Known before it is called, because the AI SDK must be told at once that there will be several results. A function that only
 * returns an iterable gives its last one.
 */
const isGenerator = (execute: object): boolean =>
  Object.prototype.toString.call(execute) === "[object AsyncGeneratorFunction]"
