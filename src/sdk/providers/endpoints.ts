/**
 * Which requests are governed, and which are not although tools can be called there.
 *
 * Governed: `POST …/chat/completions`, `POST …/responses` and `POST …/messages`, the beta forms too.
 *
 * Not governed, and refused unless allowed:
 * - OpenAI: runs of assistants (`/threads/runs`, `/threads/…/runs`), `/realtime`, `/live`, `/batches`, ChatKit sessions, agents'
 *   sessions and automations, `background: true` of responses (the answer is fetched later), the stream of a stored response.
 * - Anthropic: `/messages/batches`, managed sessions and deployments, and what its clients for other clouds send (Bedrock's
 *   `/model/…/invoke`, Vertex's `:rawPredict`).
 *
 * Not governed, and never refused: everything without tools (models, embeddings, files, legacy completions …), and reading
 * what is stored: an answer that is retrieved again shows every call that the model made. A WebSocket (`OpenAIRealtimeWebSocket`,
 * `ResponsesWS`) does not go through the client's fetch: it can be neither governed nor refused here.
 */
import { chat } from "./chat.ts"
import { messages } from "./messages.ts"
import type { Protocol } from "./Protocol.ts"
import { responses } from "./responses.ts"

export type Family = "openai" | "anthropic"

/** How a request is treated: under a protocol, let through, or `ungoverned` though tools can be called there. */
export type Endpoint = Protocol | "other" | "ungoverned"

const refused: Readonly<Record<Family, ReadonlyArray<RegExp>>> = {
  openai: [
    /\/threads\/(runs|[^/]+\/runs(\/[^/]+\/submit_tool_outputs)?)$/,
    /\/(batches|chatkit\/sessions|realtime|realtime\/.+|live\/.+)$/,
    /\/agents\/(sessions(\/[^/]+\/events)?|automations\/[^/]+\/invocations)$/,
  ],
  anthropic: [
    /\/(messages\/batches|sessions(\/[^/]+(\/events)?)?|deployments(\/[^/]+\/run)?)$/,
    /\/model\/[^/]+\/invoke(-with-response-stream)?$/,
    /\/models\/(?!count-tokens:)[^/]+:(rawPredict|streamRawPredict)$/,
  ],
}

export const endpointOf = (family: Family, method: string, url: string): Endpoint => {
  const path = pathOf(url)
  if (method !== "POST") {
    const isStoredStream = family === "openai" && /\/responses\/[^/]+$/.test(path) && /[?&]stream=true(&|$)/.test(url)
    return isStoredStream ? "ungoverned" : "other"
  }
  // By the path, whichever client asks: servers speak one another's protocols. An assistant's thread has messages of its own.
  if (path.endsWith("/chat/completions")) return chat
  if (path.endsWith("/responses")) return responses
  if (path.endsWith("/messages") && !/\/threads\/[^/]+\/messages$/.test(path)) return messages
  return refused[family].some((pattern) => pattern.test(path)) ? "ungoverned" : "other"
}

const pathOf = (url: string): string => {
  const end = url.search(/[?#]/)
  const path = end === -1 ? url : url.slice(0, end)
  return path.endsWith("/") ? path.slice(0, -1) : path
}
