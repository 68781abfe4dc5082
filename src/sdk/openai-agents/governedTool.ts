/**
 * A function tool of the OpenAI Agents SDK that is run by the session: the step that was admitted with the model's answer is the
 * one that runs, under its contract's time limit, with its fencing tokens, and with a receipt whatever becomes of it.
 */
import type { RunContext, ToolInputParameters, ToolOptions, UnknownContext } from "@openai/agents"
import { isInfrastructure } from "../../runtime/errors.ts"
import { ReplayConfigError, ReplayKillError } from "../errors.ts"
import { type AnySession, pipelineOf } from "../frameworks/Asked.ts"
import { asData } from "../frameworks/data.ts"
import { inStep } from "../frameworks/step.ts"
import { qualified } from "./answer.ts"

/**
 * Options for `tool` of the SDK, governed: `tool(governedTool(session, { name, description, parameters, execute }))`. The session
 * needs no `tools` of its own; the contract is that of the tool's name, which is a function's name (letters, digits, `_`).
 *
 * `execute` gets the same arguments; its third is there always, and its `signal` also aborts at a kill, at the contract's time
 * limit and when the session is closed. `stepOf` of it gives the fencing tokens. What `execute` throws is told to the model by
 * `errorFunction`; a kill and trouble with the control plane are not, and end the run with a `ToolCallError` around them.
 *
 * A tool that `tool` has made already can't be governed: it has turned its errors into results.
 */
export const governedTool = <P extends ToolInputParameters = undefined, Context = UnknownContext>(
  session: AnySession,
  options: ToolOptions<P, Context>,
): ToolOptions<P, Context> => {
  const { runner } = pipelineOf(session)
  const name = options.name ?? options.execute.name
  if (!/^[A-Za-z0-9_]+$/.test(name))
    throw new ReplayConfigError(
      "tools",
      `The tool's name is ${JSON.stringify(name)}, which the SDK changes. Use letters, digits and _.`,
    )
  const call = runner.adopt(name)
  const execute = (input: unknown, context: unknown, details: CallDetails = {}): Promise<unknown> => {
    const { toolCall, signal: ofRun } = details
    const called = toolCall?.namespace === undefined ? call : runner.adopt(qualified(name, toolCall.namespace))
    return called(
      asData(input),
      (_: unknown, step) =>
        inStep(
          step,
          [ofRun],
          (signal) => ({ ...details, signal }),
          (within): unknown => Reflect.apply(options.execute, options, [input, context, within]),
        ),
      toolCall?.callId,
    )
  }
  const { errorFunction } = options
  const tellError = (context: RunContext, error: unknown): Promise<string> | string => {
    if (error instanceof ReplayKillError || isInfrastructure(error)) throw error
    return errorFunction == null ? told(error) : errorFunction(context, error)
  }
  const governed = { ...options, name }
  Reflect.set(governed, "execute", execute)
  if (errorFunction !== null) Reflect.set(governed, "errorFunction", tellError)
  return governed
}

/** What the SDK tells a tool of its call. */
interface CallDetails {
  readonly toolCall?: { readonly callId: string; readonly namespace?: string | undefined }
  readonly signal?: AbortSignal | undefined
}

const told = (error: unknown): string =>
  `The tool failed. ${error instanceof Error ? error.message : String(error)} Mend the call, or go on without it.`
