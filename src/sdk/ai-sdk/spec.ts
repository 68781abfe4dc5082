/** The AI SDK's language model specification, version 3, as the package `ai` tells it. */
import type { LanguageModelMiddleware } from "ai"

type WrapGenerate = NonNullable<LanguageModelMiddleware["wrapGenerate"]>
type WrapStream = NonNullable<LanguageModelMiddleware["wrapStream"]>

export type LanguageModel = Parameters<WrapGenerate>[0]["model"]
export type CallOptions = Parameters<WrapGenerate>[0]["params"]
export type GenerateResult = Awaited<ReturnType<WrapGenerate>>
export type StreamResult = Awaited<ReturnType<WrapStream>>
export type StreamPart = StreamResult["stream"] extends ReadableStream<infer P> ? P : never

export type Content = GenerateResult["content"][number]
export type ToolCall = Extract<Content, { type: "tool-call" }>
export type FinishReason = GenerateResult["finishReason"]
export type Usage = GenerateResult["usage"]

export type Message = CallOptions["prompt"][number]
export type AssistantPart = Extract<Message, { role: "assistant" }>["content"][number]
type ToolPart = Extract<Message, { role: "tool" }>["content"][number]
export type ToolResultPart = Extract<ToolPart, { type: "tool-result" }>
export type { LanguageModelMiddleware }
