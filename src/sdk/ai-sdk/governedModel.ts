/**
 * A language model of the AI SDK under a session: each call is a turn of its governor.
 *
 * The request goes out without tools that may not be called now; the answer's calls are judged together, and those that are
 * blocked never reach the AI SDK. What Handrail refuses comes out as it is and is not tried again: the AI SDK tries again after
 * its own `APICallError`s only.
 */
import { ReplayConfigError } from "../errors.ts"
import { type AnySession, begun, pipelineOf } from "../frameworks/Asked.ts"
import { refusalOf } from "../frameworks/refusals.ts"
import type { Pipeline } from "../governor/Pipeline.ts"
import { maxAttempts } from "../providers/limits.ts"
import { added, answerOf, callsOf, isOpenCall, mendedReason, partsOf } from "./answer.ts"
import { type AskedStream, gatedStream, refusedStream } from "./gatedStream.ts"
import { again, narrowed, requestOf } from "./request.ts"
import type {
  CallOptions,
  GenerateResult,
  LanguageModel,
  LanguageModelMiddleware,
  StreamResult,
  Usage,
} from "./spec.ts"

/**
 * The model, governed by the session: for `generateText`, `streamText` and agents. Give its calls to tools of `governedTools`.
 *
 * Throws `ReplayConfigError` where it is no model of specification version 3 (AI SDK 6).
 */
export const governedModel = (session: AnySession, model: LanguageModel): LanguageModel => {
  const pipeline = pipelineOf(session)
  if (model.specificationVersion !== "v3")
    throw new ReplayConfigError(
      "model",
      `The model's specification is ${String(Reflect.get(model, "specificationVersion"))}. Give one of v3, that of AI SDK 6.`,
    )
  return {
    specificationVersion: "v3",
    provider: model.provider,
    modelId: model.modelId,
    get supportedUrls() {
      return model.supportedUrls
    },
    doGenerate: (params) => generate(pipeline, model, params),
    doStream: (params) => stream(pipeline, model, params),
  }
}

/**
 * The same as middleware of `wrapLanguageModel`. Put it first among several: what it is to judge is what reaches the caller, and
 * a middleware before it could bring blocked calls back.
 */
export const handrailMiddleware = (session: AnySession): LanguageModelMiddleware => {
  const pipeline = pipelineOf(session)
  return {
    specificationVersion: "v3",
    wrapGenerate: ({ model, params }) => generate(pipeline, model, params),
    wrapStream: ({ model, params }) => stream(pipeline, model, params),
  }
}

const generate = async (pipeline: Pipeline, model: LanguageModel, first: CallOptions): Promise<GenerateResult> => {
  const { owns } = pipeline.runner
  let params = first
  let used: Usage | undefined
  for (let attempt = 0; ; attempt++) {
    const asked = await begun(pipeline, requestOf(model, params, attempt, owns), params.abortSignal)
    const sent = narrowed(params, asked.turn, owns)
    const result = await asked.send((abortSignal) => model.doGenerate({ ...sent, abortSignal }))
    const { content, usage, response } = result
    const { removed, retry, feedback } = await asked.finish(
      answerOf(response?.modelId ?? model.modelId, content, usage),
    )
    used = added(used, usage)
    if (retry && attempt + 1 < maxAttempts) params = again(params, content, feedback)
    else return without({ ...result, usage: used }, retry ? feedback : removed, asked.turn.headers)
  }
}

const without = (
  result: GenerateResult,
  removed: ReadonlyMap<string, string>,
  headers: Readonly<Record<string, string>>,
): GenerateResult => {
  const told = withHeaders(result, headers)
  if (removed.size === 0) return told
  const gone = partsOf(callsOf(told.content), removed)
  const content = told.content.filter((part) => !gone.has(part))
  const { response: { body: _body, ...response } = {}, ...rest } = told
  // The body of the provider's answer still has the blocked calls in it.
  return { ...rest, response, content, finishReason: mendedReason(told.finishReason, content.some(isOpenCall)) }
}

const withHeaders = <R extends GenerateResult | StreamResult>(
  result: R,
  headers: Readonly<Record<string, string>>,
): R =>
  Object.keys(headers).length === 0
    ? result
    : { ...result, response: { ...result.response, headers: { ...result.response?.headers, ...headers } } }

const stream = async (pipeline: Pipeline, model: LanguageModel, first: CallOptions): Promise<StreamResult> => {
  const { owns } = pipeline.runner
  let params = first
  const ask = async (attempt: number): Promise<AskedStream & { readonly result: StreamResult }> => {
    const asked = await begun(pipeline, requestOf(model, params, attempt, owns), params.abortSignal)
    const sent = narrowed(params, asked.turn, owns)
    const result = await asked.send((abortSignal) => model.doStream({ ...sent, abortSignal }))
    return { asked, result, stream: result.stream }
  }
  let opened: Awaited<ReturnType<typeof ask>>
  try {
    opened = await ask(0)
  } catch (error) {
    // In the stream, where the caller finds it: the AI SDK has no other way to tell why there is none.
    if (refusalOf(error) === undefined) throw error
    return { stream: refusedStream(error) }
  }
  let attempts = 1
  const gated = gatedStream(model.modelId, opened, async (content, feedback) => {
    if (attempts >= maxAttempts) return undefined
    params = again(params, content, feedback)
    attempts += 1
    return ask(attempts - 1)
  })
  return withHeaders({ ...opened.result, stream: gated }, opened.asked.turn.headers)
}
