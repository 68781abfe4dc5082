/**
 * A workflow's events over HTTP: each once and in order, from a sequence on, over as many connections as it takes.
 *
 * A connection that ends, is cut or falls silent is replaced by one that resumes after the last event. It holds one unfinished
 * event and what one read of the connection brought: a slow reader slows the connection, and the server lets go of it. Where the
 * server is away for longer than a call may take, it rejects with why; whoever reads on from the last sequence misses nothing.
 */
import type { JournalEvent } from "../../../machines/events.ts"
import { fail, isInfrastructure } from "../../../runtime/errors.ts"
import type { OpenStream, Outgoing, Try } from "./Exchange.ts"
import { parsed } from "./failures.ts"
import { clientLimits } from "./limits.ts"
import { SseOverflow, SseParser } from "./SseParser.ts"
import { pauseMs, type Transport } from "./Transport.ts"

export interface Following {
  readonly transport: Transport
  /** Asked for each connection, because a token may be learnt meanwhile. */
  readonly request: (after: number) => Outgoing
  readonly decode: (value: unknown) => JournalEvent
  readonly after: number
  readonly timeoutMs: number
  readonly silenceMs: number
  readonly signal: AbortSignal
}

interface Reading {
  readonly body: ReadableStreamDefaultReader<Uint8Array>
  readonly parser: SseParser
  readonly decoder: InstanceType<typeof TextDecoder>
}

export async function* follow(following: Following): AsyncGenerator<JournalEvent, void, void> {
  const { transport, signal, timeoutMs } = following
  let last = following.after
  let failures = 0
  let gaps = 0
  let downSince: number | undefined
  while (!signal.aborted && !transport.exchange.isClosed) {
    const opened = await open(following, last)
    if (opened._tag === "ended") return
    if (opened._tag === "failed") {
      downSince ??= performance.now()
      const waitMs = pauseMs(failures, opened.retryAfterMs)
      const isOver = performance.now() + waitMs - downSince >= timeoutMs
      if (isOver || !isInfrastructure(opened.error)) throw opened.error
      failures += 1
      await transport.pause(waitMs, signal)
      continue
    }
    downSince = undefined
    const stream = opened.value
    const openedAt = performance.now()
    const reading = { body: stream.body.getReader(), parser: new SseParser(), decoder: new TextDecoder() }
    const stop = (): void => stream.close()
    signal.addEventListener("abort", stop, { once: true })
    let askedMs = 0
    try {
      for (;;) {
        const some = await read(following, reading)
        if (some === "cut") break
        if (some === "ended") {
          askedMs = Math.min(clientLimits.longestHintMs, reading.parser.retryMs ?? 0)
          break
        }
        for (const event of some) {
          if (event.seq <= last) continue
          if (event.seq !== last + 1) throw new Gap()
          last = event.seq
          gaps = 0
          failures = 0
          yield event
          if (signal.aborted || transport.exchange.isClosed) return
        }
      }
    } catch (error) {
      if (!(error instanceof Gap)) throw error
      gaps += 1
      if (gaps >= clientLimits.gaps)
        throw fail("internal", `The server's stream of events leaves some out after sequence ${last}.`, { after: last })
    } finally {
      signal.removeEventListener("abort", stop)
      stream.close()
    }
    if (performance.now() - openedAt > clientLimits.longestBackoffMs) failures = 0
    await transport.pause(pauseMs(failures, askedMs), signal)
    failures += 1
  }
}

class Gap extends Error {}

const open = ({ transport, request, signal }: Following, after: number): Promise<Try<OpenStream>> =>
  transport.exchange.stream(request(after), transport.tryMs, signal)

type End = "ended" | "cut"

/** The next events, none for a comment; or how the connection ended: by the server's will, or not. */
const read = async (
  { decode, silenceMs }: Following,
  { body, parser, decoder }: Reading,
): Promise<ReadonlyArray<JournalEvent> | End> => {
  const chunk = await next(body, silenceMs)
  if (typeof chunk === "string") return chunk
  try {
    return parser.push(decoder.decode(chunk, { stream: true })).map(({ data }) => decode(parsed(data)))
  } catch (error) {
    if (error instanceof SseOverflow)
      throw fail("payload_too_large", `An event has more than ${clientLimits.eventChars} characters.`, {
        max: clientLimits.eventChars,
      })
    throw error
  }
}

/** A dead connection says nothing, not even that it is dead. */
const next = async (body: ReadableStreamDefaultReader<Uint8Array>, silenceMs: number): Promise<Uint8Array | End> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const silence = new Promise<"cut">((resolve) => {
    timer = setTimeout(() => resolve("cut"), silenceMs)
  })
  const chunk = body.read().then(
    ({ value }): Uint8Array | End => value ?? "ended",
    (): End => "cut",
  )
  const first = await Promise.race([chunk, silence])
  clearTimeout(timer)
  return first
}
