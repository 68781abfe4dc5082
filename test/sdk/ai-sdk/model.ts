/** A language model of the AI SDK that says what the test says, whole or streamed, and remembers what it was asked. */
import type { LanguageModelMiddleware } from "ai"

type Options = Parameters<NonNullable<LanguageModelMiddleware["wrapGenerate"]>>[0]
export type Model = Options["model"]
export type CallOptions = Options["params"]
type Result = Awaited<ReturnType<Model["doGenerate"]>>
type StreamOf<S> = S extends ReadableStream<infer P> ? P : never
export type StreamPart = StreamOf<Awaited<ReturnType<Model["doStream"]>>["stream"]>
type Content = Result["content"][number]

export interface Said {
  readonly text?: string
  readonly thought?: string
  readonly calls?: ReadonlyArray<{ readonly id: string; readonly tool: string; readonly args?: unknown }>
  /** A search that the provider runs itself, before anything else. */
  readonly searched?: string
  readonly usage?: { readonly input: number; readonly output: number; readonly cached?: number }
  /** In a stream: what comes behind so many parts waits for this, or for the end of the request. */
  readonly until?: { readonly after: number; readonly promise: Promise<unknown> }
  /** In a stream: it ends behind so many parts. */
  readonly cutAfter?: number
}

export interface ScriptedModel extends Model {
  readonly asked: ReadonlyArray<CallOptions>
}

/** Each answer once, in this order; an error is thrown. */
export const scripted = (...answers: ReadonlyArray<Said | Error>): ScriptedModel => {
  const asked: Array<CallOptions> = []
  const next = (options: CallOptions): Said => {
    const answer = answers[asked.length]
    asked.push(options)
    if (answer === undefined) throw new Error("nothing is scripted")
    if (answer instanceof Error) throw answer
    return answer
  }
  return {
    specificationVersion: "v3",
    provider: "scripted",
    modelId: "model-1",
    supportedUrls: {},
    asked,
    doGenerate: async (options) => {
      const said = next(options)
      const head = { warnings: [], response: { modelId: "model-1", body: { raw: said } } }
      return { ...head, content: contentOf(said), finishReason: reasonOf(said), usage: usageOf(said) }
    },
    doStream: async (options) => {
      const said = next(options)
      const parts = partsOf(said).slice(0, said.cutAfter)
      let at = 0
      const stream = new ReadableStream<StreamPart>(
        {
          pull: async (controller) => {
            if (at === said.until?.after) await Promise.race([said.until.promise, ended(options.abortSignal)])
            const part = parts[at]
            at += 1
            if (part === undefined) controller.close()
            else controller.enqueue(part)
          },
        },
        { highWaterMark: 0 },
      )
      return { stream }
    },
  }
}

const ended = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(signal?.reason)
    if (signal?.aborted === true) stop()
    signal?.addEventListener("abort", stop, { once: true })
  })

const contentOf = ({ text, thought, searched, calls = [] }: Said): Array<Content> => [
  ...(searched === undefined ? [] : search(searched)),
  ...(thought === undefined
    ? []
    : [{ type: "reasoning", text: thought, providerMetadata: { scripted: { signature: "s" } } } as const]),
  ...(text === undefined ? [] : [{ type: "text", text } as const]),
  ...calls.map(
    ({ id, tool, args = {} }) =>
      ({ type: "tool-call", toolCallId: id, toolName: tool, input: JSON.stringify(args) }) as const,
  ),
]

const search = (query: string): Array<Extract<Content, { type: "tool-call" | "tool-result" }>> => [
  {
    type: "tool-call",
    toolCallId: "search",
    toolName: "web_search",
    input: JSON.stringify({ query }),
    providerExecuted: true,
    dynamic: true,
  },
  { type: "tool-result", toolCallId: "search", toolName: "web_search", result: { found: query }, dynamic: true },
]

const partsOf = (said: Said): Array<StreamPart> => {
  const { text, thought, searched, calls = [] } = said
  return [
    { type: "stream-start", warnings: [] },
    { type: "response-metadata", id: "r1", modelId: "model-1" },
    ...(searched === undefined ? [] : search(searched)),
    ...(thought === undefined
      ? []
      : ([
          { type: "reasoning-start", id: "think" },
          { type: "reasoning-delta", id: "think", delta: thought },
          { type: "reasoning-end", id: "think", providerMetadata: { scripted: { signature: "s" } } },
        ] as const)),
    ...(text === undefined
      ? []
      : ([
          { type: "text-start", id: "0" },
          ...[...text].map((delta) => ({ type: "text-delta", id: "0", delta }) as const),
          { type: "text-end", id: "0" },
        ] as const)),
    ...calls.flatMap(({ id, tool, args = {} }): Array<StreamPart> => {
      const input = JSON.stringify(args)
      return [
        { type: "raw", rawValue: { delta: id } },
        { type: "tool-input-start", id, toolName: tool },
        { type: "tool-input-delta", id, delta: input },
        { type: "tool-input-end", id },
        { type: "tool-call", toolCallId: id, toolName: tool, input },
      ]
    }),
    { type: "finish", finishReason: reasonOf(said), usage: usageOf(said) },
  ]
}

const reasonOf = ({ calls = [] }: Said): Result["finishReason"] =>
  calls.length > 0 ? { unified: "tool-calls", raw: "tool_calls" } : { unified: "stop", raw: "stop" }

const usageOf = ({ usage = { input: 20, output: 10 } }: Said): Result["usage"] => {
  const { input, output, cached = 0 } = usage
  return {
    inputTokens: { total: input, noCache: input - cached, cacheRead: cached, cacheWrite: 0 },
    outputTokens: { total: output, text: output, reasoning: 0 },
  }
}
