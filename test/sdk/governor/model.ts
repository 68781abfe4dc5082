/** A model in the test's hand: it answers what the test says, through the same pipeline as a provider's. */
import type { ModelUsage, ToolResult, Verdict } from "../../../src/sdk/governor/Turn.ts"
import { ReplaySession } from "../../../src/sdk/ReplaySession.ts"

export interface Said {
  readonly calls?: ReadonlyArray<{ readonly tool: string; readonly args?: unknown; readonly text?: string }>
  readonly usage?: ModelUsage
  readonly model?: string
  readonly tools?: ReadonlyArray<string>
  readonly results?: ReadonlyArray<ToolResult>
  readonly attempt?: number
  readonly maxOutputTokens?: number
}

let turns = 0

/** Begins a model call; `answer` finishes it. Ids of calls are `t<turn>.<index>`. */
export const begin = async (session: { readonly tools: object }, said: Said = {}) => {
  const { governor } = ReplaySession.pipelineOf(session)
  const { model = "model-1", tools = [], results = [], attempt = 0, maxOutputTokens = 100 } = said
  const turn = await governor.begin({
    provider: "test",
    model,
    tools,
    results,
    attempt,
    maxOutputTokens,
    inputChars: 400,
  })
  turns += 1
  const id = turns
  const answer = ({ calls = [], usage }: Said): Promise<Verdict> =>
    turn.finish({
      model,
      usage,
      calls: calls.map(({ tool, args, text }, index) => ({
        callId: `t${id}.${index}`,
        tool,
        arguments: text ?? JSON.stringify(args === undefined ? {} : args),
      })),
    })
  return { turn, answer, callId: (index: number) => `t${id}.${index}` }
}

/** A whole model call. */
export const ask = async (session: { readonly tools: object }, said: Said) => {
  const begun = await begin(session, said)
  return { ...begun, verdict: await begun.answer(said) }
}
