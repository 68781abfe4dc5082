/**
 * Runs the tool calls of a model's answer, and says what became of them in the provider's own words.
 */
import { isInfrastructure, isRefusal } from "../../runtime/errors.ts"
import { ReplayConfigError, ReplayContractError, ReplayKillError } from "../errors.ts"
import type { ToolResult } from "../governor/Turn.ts"
import { toolCallsOf, toolResultMessages } from "../providers/toolResults.ts"
import { outcomeOf } from "./StepOutcome.ts"
import type { ToolRunner } from "./ToolRunner.ts"

/** What to append to the next request after an answer of type A, as its provider takes it. */
export type ToolMessages<A> = A extends { readonly choices: ReadonlyArray<unknown> }
  ? Array<{ role: "tool"; tool_call_id: string; content: string }>
  : A extends { readonly output: ReadonlyArray<unknown> }
    ? Array<{ type: "function_call_output"; call_id: string; output: string }>
    : A extends { readonly content: ReadonlyArray<unknown> }
      ? Array<{
          role: "user"
          content: Array<{ type: "tool_result"; tool_use_id: string; content: string; is_error?: boolean }>
        }>
      : never

/** All calls at once, as the model asked for them. Empty where the answer has none. */
export const runTools = async <A extends object>(runner: ToolRunner, answer: A): Promise<ToolMessages<A>> => {
  const calls = toolCallsOf(answer)
  if (calls === undefined)
    throw new ReplayConfigError(
      "answer",
      "runTools takes a chat completion, a response or a message, as a client gives it.",
    )
  const foreign = calls.find(({ tool }) => !runner.runs(tool))
  if (foreign !== undefined)
    throw new ReplayConfigError(
      "tools",
      `The session has no tool ${foreign.tool}. Give it in tools, or run the calls of such answers yourself.`,
    )
  const results = await Promise.all(
    calls.map(async ({ callId, tool, arguments: text }): Promise<ToolResult> => {
      try {
        const output = await runner.call(tool, text.trim() === "" ? {} : JSON.parse(text), callId)
        return { callId, output: output ?? null, isError: false }
      } catch (error) {
        if (!isForTheModel(error)) throw error
        return { callId, output: error instanceof Error ? error.message : String(error), isError: true }
      }
    }),
  )
  // The providers' formats are told by the answer's members, which is what the type goes by.
  return toolResultMessages(answer, results) as ToolMessages<A>
}

/** A model can mend a tool's failure and a call that was refused, and can do nothing about a kill, an outage or a bug. */
const isForTheModel = (error: unknown): boolean => {
  if (error instanceof ReplayKillError) return false
  const isTools = typeof error !== "object" || error === null || outcomeOf(error) !== undefined
  return (isTools && !isInfrastructure(error)) || error instanceof ReplayContractError || isRefusal(error)
}
