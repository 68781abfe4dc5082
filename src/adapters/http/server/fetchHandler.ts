/** `Request` → `Response`: the app in any framework that speaks them, and in tests without a port. */
import type { EventStream } from "../events/EventStream.ts"
import type { HttpApp } from "./HttpApp.ts"
import type { Incoming } from "./Request.ts"

export const answerFetch = async (app: HttpApp, request: Request, isLocal: boolean): Promise<Response> => {
  const { status, headers, body } = await app.answer(incomingOf(request, isLocal))
  const content = body === null || typeof body === "string" ? body : streamOf(body, app.slowReaderMs, request.signal)
  return new Response(content, { status, headers: { ...headers } })
}

const incomingOf = (request: Request, isLocal: boolean): Incoming => {
  const { pathname, search } = new URL(request.url)
  return {
    method: request.method,
    path: pathname,
    query: search.slice(1),
    header: (name) => request.headers.get(name) ?? undefined,
    body: (max) => read(request, max),
    isLocal,
    signal: request.signal,
  }
}

const read = async (request: Request, max: number): Promise<Uint8Array | "tooLarge"> => {
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const chunks: Array<Uint8Array> = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > max) {
      await reader.cancel()
      return "tooLarge"
    }
    chunks.push(value)
  }
  return Buffer.concat(chunks, size)
}

/** Asked for the next text only when it is read; a reader that asks too rarely is let go of, and finds the end. */
const streamOf = (events: EventStream, slowMs: number, signal: AbortSignal): ReadableStream<Uint8Array> => {
  let slow: ReturnType<typeof setTimeout> | undefined
  const gone = (): void => {
    clearTimeout(slow)
    events.close()
  }
  const untilRead = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    slow = setTimeout(() => {
      gone()
      controller.close()
    }, slowMs)
  }
  signal.addEventListener("abort", gone, { once: true })
  if (signal.aborted) gone()
  return new ReadableStream<Uint8Array>(
    {
      start: untilRead,
      async pull(controller) {
        clearTimeout(slow)
        const bytes = await events.next()
        if (bytes === null) return controller.close()
        // A reader may take what it is given; the bytes are shared with others.
        controller.enqueue(new Uint8Array(bytes))
        untilRead(controller)
      },
      cancel: gone,
    },
    { highWaterMark: 0 },
  )
}
