/**
 * A stand-in for a model provider, so that the examples run without a key, without cost, and the same way each time.
 *
 * It is an HTTP server on this machine that speaks three real protocols, streamed and not: OpenAI's chat completions and
 * responses, and Anthropic's messages. The real clients talk to it and don't know the difference. What the model says is a
 * script: a function from what it was asked to what it answers.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { readMessages, writeMessage } from "./anthropicMessages.ts"
import { isJsonObject, type JsonObject } from "./json.ts"
import { readChat, writeChat } from "./openaiChat.ts"
import { readResponses, writeResponse } from "./openaiResponses.ts"

/** What the model sees of a request, in no provider's words. */
export interface Asked {
  readonly model: string
  /** How often the model has answered in this conversation already: 0 at its beginning. */
  readonly turn: number
  /** What the user said first. */
  readonly prompt: string
  /** The tools that it is offered. */
  readonly tools: ReadonlyArray<string>
  /** What it was told since its last answer, such as what came of its calls. */
  readonly told: ReadonlyArray<string>
}

export interface Answer {
  readonly text?: string
  readonly calls?: ReadonlyArray<{ readonly tool: string; readonly args: JsonObject }>
  /** Tokens. Default: a quarter of the characters. */
  readonly usage?: { readonly input: number; readonly output: number }
}

export type Script = (asked: Asked) => Answer

/** An answer as the protocols write it: each call has an id, and the usage is known. */
export interface Written {
  readonly id: string
  readonly model: string
  readonly text: string | undefined
  readonly calls: ReadonlyArray<{ readonly id: string; readonly tool: string; readonly args: string }>
  readonly usage: { readonly input: number; readonly output: number }
}

/** A JSON body, or the events of a stream as they go over the wire. */
export type Reply = JsonObject | ReadonlyArray<string>

interface Protocol {
  readonly read: (body: JsonObject) => Asked
  readonly write: (answer: Written, body: JsonObject) => Reply
}

const protocols: Readonly<Record<string, Protocol>> = {
  "/v1/chat/completions": { read: readChat, write: writeChat },
  "/v1/responses": { read: readResponses, write: writeResponse },
  "/v1/messages": { read: readMessages, write: writeMessage },
}

export class ScriptedModel {
  readonly #server: Server
  readonly #script: Script
  #answers = 0

  static async start(script: Script): Promise<ScriptedModel> {
    const model = new ScriptedModel(script)
    await new Promise<void>((listening) => model.#server.listen(0, "127.0.0.1", listening))
    return model
  }

  private constructor(script: Script) {
    this.#script = script
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500, { "content-type": "application/json", "x-should-retry": "false" })
        response.end(JSON.stringify({ error: { message: `The script failed: ${String(error)}` } }))
      })
    })
  }

  /** Where Anthropic's client finds it. */
  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === "string") throw new Error("the scripted model is closed")
    return `http://127.0.0.1:${address.port}`
  }

  /** Where OpenAI's client finds it. */
  get openaiUrl(): string {
    return `${this.url}/v1`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((closed) => this.#server.close(closed))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(request)
    const protocol = protocols[new URL(request.url ?? "/", "http://model").pathname]
    const body: unknown = protocol === undefined ? undefined : JSON.parse(text)
    if (protocol === undefined || !isJsonObject(body)) {
      response.writeHead(404).end()
      return
    }
    const asked = protocol.read(body)
    const reply = protocol.write(this.#written(this.#script(asked), asked.model, text.length), body)
    if (isEvents(reply)) {
      response.writeHead(200, { "content-type": "text/event-stream" })
      for (const event of reply) response.write(event)
      response.end()
    } else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(reply))
  }

  #written({ text, calls = [], usage }: Answer, model: string, askedChars: number): Written {
    this.#answers += 1
    const answer = this.#answers
    const written = calls.map(({ tool, args }, index) => ({
      id: `call_${answer}_${index}`,
      tool,
      args: JSON.stringify(args),
    }))
    const chars = (text?.length ?? 0) + written.reduce((sum, { args }) => sum + args.length, 0)
    const estimated = { input: Math.ceil(askedChars / 4), output: Math.ceil(chars / 4) }
    return { id: `answer_${answer}`, model, text, calls: written, usage: usage ?? estimated }
  }
}

const isEvents = (reply: Reply): reply is ReadonlyArray<string> => Array.isArray(reply)

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString("utf8")
}
