/**
 * Tries of requests: each ends within its time, whatever the server does, and says what became of it. It never rejects.
 *
 * `close` ends every try and every open stream at once.
 */

import { type Failure, late, misanswered, parsed, tooLarge, unreachable } from "./failures.ts"
import { clientLimits } from "./limits.ts"
import type { ClientSettings } from "./options.ts"

export interface Outgoing {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}
export type Try<A> =
  | { readonly _tag: "answered"; readonly value: A }
  | ({ readonly _tag: "failed" } & Failure)
  /** The client was closed, or nobody waits for it any more. */
  | { readonly _tag: "ended" }

/** A stream of text that has begun. */
export interface OpenStream {
  readonly body: ReadableStream<Uint8Array>
  /** Ends it, also in the middle of a read. */
  close(): void
}

const ended = { _tag: "ended" } as const
const failed = (failure: Failure) => ({ _tag: "failed", ...failure }) as const

export class Exchange {
  readonly #settings: ClientSettings
  readonly #open = new Set<AbortController>()
  #closed = false

  constructor(settings: ClientSettings) {
    this.#settings = settings
  }

  get isClosed(): boolean {
    return this.#closed
  }

  close(): void {
    this.#closed = true
    for (const controller of this.#open) controller.abort()
    this.#open.clear()
  }

  /** Asks for JSON. */
  answer(outgoing: Outgoing, ms: number): Promise<Try<unknown>> {
    return this.#within(ms, async (signal, release) => {
      const response = await this.#fetch(outgoing, signal)
      const text = await textOf(response)
      release()
      const { url } = this.#settings
      if (text === undefined) return failed(tooLarge(url, clientLimits.answerChars))
      const isJson = response.headers.get("content-type")?.includes("application/json") === true
      const value = response.ok && isJson ? parsed(text) : undefined
      return value === undefined ? failed(misanswered(url, response, text)) : { _tag: "answered", value }
    })
  }

  /** Asks for a stream of events; `ms` is for its beginning. */
  stream(outgoing: Outgoing, ms: number, signal: AbortSignal): Promise<Try<OpenStream>> {
    return this.#within(
      ms,
      async (abort, release, controller) => {
        const response = await this.#fetch(outgoing, abort)
        const { body } = response
        const isStream = response.headers.get("content-type")?.includes("text/event-stream") === true
        if (response.ok && isStream && body !== null)
          return { _tag: "answered", value: { body, close: () => this.#end(controller) } }
        const text = (await textOf(response)) ?? ""
        release()
        return failed(misanswered(this.#settings.url, response, text))
      },
      signal,
    )
  }

  #end(controller: AbortController): void {
    this.#open.delete(controller)
    controller.abort()
  }

  #fetch({ method, path, headers, body }: Outgoing, signal: AbortSignal): Promise<Response> {
    const { fetch, url, authorization } = this.#settings
    return fetch(`${url}${path}`, {
      method,
      signal,
      // Followed, a redirect would carry the session's token to wherever it points, and turn a POST into a GET.
      redirect: "manual",
      headers: {
        ...headers,
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body }),
    })
  }

  /** `release` says that nothing of it is open any more; without that, whoever got the value has to end it. */
  async #within<A>(
    ms: number,
    run: (signal: AbortSignal, release: () => void, controller: AbortController) => Promise<Try<A>>,
    outer?: AbortSignal,
  ): Promise<Try<A>> {
    const isOver = (): boolean => this.#closed || outer?.aborted === true
    if (isOver()) return ended
    const controller = new AbortController()
    this.#open.add(controller)
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      controller.abort()
    }, ms)
    const onOuter = (): void => controller.abort()
    outer?.addEventListener("abort", onOuter, { once: true })
    try {
      return await run(controller.signal, () => this.#open.delete(controller), controller)
    } catch (error) {
      this.#open.delete(controller)
      if (isOver()) return ended
      return failed(isLate ? late(this.#settings.url, ms) : unreachable(this.#settings.url, error))
    } finally {
      clearTimeout(timer)
      outer?.removeEventListener("abort", onOuter)
    }
  }
}

/** The whole text of an answer; undefined where there is too much of it. */
const textOf = async ({ body }: Response): Promise<string | undefined> => {
  if (body === null) return ""
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    text += decoder.decode(value, { stream: true })
    if (text.length <= clientLimits.answerChars) continue
    await reader.cancel()
    return undefined
  }
}
