/**
 * A provider's stream of events through the gate of its protocol. It is pulled: nothing is read that the caller does not want.
 *
 * Text flows as it comes. At the end of the answer it is judged; then what stays of the held calls follows, and the end. An
 * answer to be asked again is asked under a new turn, and the new one goes on in the same stream where the text of the first one
 * ended; that text was said and stays. A kill stops it at once with its reason; whoever leaves it stops the provider's.
 */
import type { Turn, Verdict } from "../governor/Turn.ts"
import { ModelStreamError } from "./errors.ts"
import { EventSplitter, readEvent } from "./events.ts"
import { type Asked, type Caller, Refused } from "./governedFetch.ts"
import { maxAttempts, maxHeldBytes } from "./limits.ts"
import type { StreamGate } from "./Protocol.ts"

type Controller = ReadableStreamDefaultController<Uint8Array>

export const gatedStream = (caller: Caller, asked: Asked, response: Response): ReadableStream<Uint8Array> => {
  const flow = new Flow(caller, asked, response)
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => flow.start(controller),
      pull: () => flow.pull(),
      cancel: (reason) => flow.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

class Flow {
  readonly #caller: Caller
  readonly #gate: StreamGate
  #asked: Asked
  #reader: ReadableStreamDefaultReader<Uint8Array>
  #splitter = new EventSplitter()
  #controller: Controller | undefined
  /** The answer is through: what follows its end was not judged, and goes nowhere. */
  #isThrough = false
  #isClosed = false
  #hasFlowed = false

  constructor(caller: Caller, asked: Asked, response: Response) {
    this.#caller = caller
    this.#asked = asked
    this.#gate = caller.protocol.gate(asked.body)
    this.#reader = readerOf(response)
  }

  start(controller: Controller): void {
    this.#controller = controller
    this.#watch(this.#asked.turn)
  }

  /** Reads on until there is something to hand out. */
  async pull(): Promise<void> {
    this.#hasFlowed = false
    try {
      while (!this.#hasFlowed && !this.#isClosed) {
        const { done, value } = await this.#reader.read()
        if (this.#isClosed) return
        const reader = this.#reader
        const events = done ? this.#rest() : this.#splitter.push(value)
        for (const bytes of events) {
          await this.#pass(bytes)
          // Another answer goes on: what the first one still had to say is over.
          if (this.#isClosed || this.#reader !== reader) break
        }
        if (done && this.#reader === reader) await this.#end()
      }
    } catch (error) {
      await this.#fail(error)
    }
  }

  async cancel(reason: unknown): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#leave(reason)
  }

  #rest(): ReadonlyArray<Uint8Array> {
    const rest = this.#splitter.end()
    return rest === undefined ? [] : [rest]
  }

  #out = (bytes: Uint8Array): void => {
    if (this.#isClosed) return
    this.#hasFlowed = true
    this.#controller?.enqueue(bytes)
  }

  async #pass(bytes: Uint8Array): Promise<void> {
    if (this.#isThrough) return
    const taken = this.#gate.take(readEvent(bytes), this.#out)
    if (this.#gate.kept() > maxHeldBytes) {
      throw new ModelStreamError("held_too_large", `An answer of more than ${maxHeldBytes} bytes cannot be judged.`)
    }
    if (taken === "flows") return
    if (taken === "judge") await this.#judge()
    else {
      this.#isThrough = true
      await this.#asked.leave(this.#gate.usage())
    }
  }

  async #judge(): Promise<void> {
    const verdict = await this.#asked.finish(this.#gate.answer())
    if (this.#isClosed) return
    if (verdict.retry && (await this.#askAgain(verdict))) return
    const removed = verdict.retry ? verdict.feedback : verdict.removed
    this.#gate.release(removed, this.#out, this.#caller.governance.withheld)
    this.#isThrough = true
  }

  /** False where the answer cannot be fed back. */
  async #askAgain({ feedback }: Verdict): Promise<boolean> {
    const { attempt, body } = this.#asked
    if (attempt + 1 >= maxAttempts) return false
    const next = this.#caller.protocol.again(body, this.#gate.whole(), feedback)
    if (next === undefined) return false
    this.#unwatch()
    this.#asked.release()
    quietly(this.#reader.cancel())
    const { asked, response } = await this.#caller.ask(next, undefined, attempt + 1)
    if (this.#isClosed) {
      await asked.leave(undefined)
      asked.stop(undefined)
      asked.release()
      return true
    }
    this.#asked = asked
    this.#watch(asked.turn)
    if (!response.ok || response.body === null) {
      const what = `The blocked answer was fed back, and the provider answered ${response.status}.`
      throw new ModelStreamError("retry_refused", what)
    }
    this.#gate.restart()
    this.#reader = readerOf(response)
    this.#splitter = new EventSplitter()
    return true
  }

  async #end(): Promise<void> {
    if (!this.#isThrough && !this.#isClosed) {
      const ended = this.#gate.ended()
      if (ended === "judge") {
        const reader = this.#reader
        await this.#judge()
        if (this.#reader !== reader || this.#isClosed) return
      } else if (ended === "cut") {
        throw new ModelStreamError("ended_early", "The stream ended in the middle of a tool call.")
      }
    }
    await this.#asked.leave(this.#gate.usage())
    this.#close()
    this.#controller?.close()
  }

  async #fail(error: unknown): Promise<void> {
    const { turn } = this.#asked
    const wasClosed = this.#isClosed
    this.#close()
    if (wasClosed) return
    const refused = error instanceof Refused ? error.error : error
    const isOurs = refused !== error || error instanceof ModelStreamError || turn.signal.aborted
    if (isOurs) this.#caller.governance.refusals.know(refused)
    this.#controller?.error(refused)
    await this.#asked.leave(this.#gate.usage())
    this.#asked.stop(turn.signal.aborted ? turn.signal.reason : error)
    quietly(this.#reader.cancel(error))
  }

  async #leave(reason: unknown): Promise<void> {
    this.#unwatch()
    await this.#asked.leave(this.#gate.usage())
    this.#asked.stop(reason)
    this.#asked.release()
    quietly(this.#reader.cancel(reason))
  }

  #close(): void {
    this.#isClosed = true
    this.#unwatch()
    this.#asked.release()
  }

  #kill = (): void => {
    const { turn } = this.#asked
    // To the caller first: the provider's stream breaks with an error of its own.
    this.#fail(turn.signal.reason).catch(() => undefined)
  }

  #watch(turn: Turn): void {
    if (turn.signal.aborted) this.#kill()
    else turn.signal.addEventListener("abort", this.#kill, { once: true })
  }

  #unwatch(): void {
    this.#asked.turn.signal.removeEventListener("abort", this.#kill)
  }
}

const readerOf = (response: Response): ReadableStreamDefaultReader<Uint8Array> => {
  if (response.body === null) throw new TypeError("The provider's stream has no body.")
  return response.body.getReader()
}

/** A stream that is left breaks: nobody wants to know. */
const quietly = (left: Promise<unknown>): void => {
  left.catch(() => undefined)
}
