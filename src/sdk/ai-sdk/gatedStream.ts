/**
 * A model's stream through the gate, pulled: nothing is read that the caller does not want.
 *
 * An answer that is to be asked again is asked under a new turn, and the new one goes on in the same stream. A refusal and a kill
 * end it: with an `error` part for those who listen for it, and thrown from the stream, so that nobody takes what came of it for
 * a whole answer. Whoever leaves the stream stops the model.
 */

import { type Asked, isOurs } from "../frameworks/Asked.ts"
import { ModelStreamError } from "../providers/errors.ts"
import { StreamGate } from "./StreamGate.ts"
import type { StreamPart } from "./spec.ts"

export type PartStream = ReadableStream<StreamPart>
type Reader = ReadableStreamDefaultReader<StreamPart>

export interface AskedStream {
  readonly asked: Asked
  readonly stream: PartStream
}

/** Sends a blocked answer back, with its feedback by call id; undefined where it may not be asked again. */
export type AskAgain = (
  content: StreamGate["content"],
  feedback: ReadonlyMap<string, string>,
) => Promise<AskedStream | undefined>

export const gatedStream = (model: string, first: AskedStream, again: AskAgain): PartStream => {
  const flow = new Flow(model, first, again)
  return pulled(
    () => flow.next(),
    (reason) => flow.leave(reason),
  )
}

/** The stream of a request that was refused. */
export const refusedStream = (error: unknown): PartStream => {
  let isTold = false
  return pulled(async () => {
    if (isTold) throw error
    isTold = true
    return { type: "error", error }
  })
}

const pulled = (next: () => Promise<StreamPart | undefined>, cancel?: (reason: unknown) => Promise<void>): PartStream =>
  new ReadableStream<StreamPart>(
    {
      pull: async (controller) => {
        const part = await next()
        if (part === undefined) controller.close()
        else controller.enqueue(part)
      },
      ...(cancel === undefined ? {} : { cancel }),
    },
    { highWaterMark: 0 },
  )

class Flow {
  readonly #gate: StreamGate
  readonly #again: AskAgain
  #asked: Asked
  #reader: Reader
  /** What may be handed out. */
  #ready: Array<StreamPart> = []
  #failure: { readonly error: unknown } | undefined
  /** The answer is through: what follows its end was not judged, and goes nowhere. */
  #isThrough = false
  #isDone = false

  constructor(model: string, { asked, stream }: AskedStream, again: AskAgain) {
    this.#gate = new StreamGate(model)
    this.#asked = asked
    this.#reader = stream.getReader()
    this.#again = again
  }

  /** Undefined at the end. Throws what the stream failed with, behind its error part. */
  async next(): Promise<StreamPart | undefined> {
    for (;;) {
      const part = this.#ready.shift()
      if (part !== undefined) return part
      if (this.#failure !== undefined) throw this.#failure.error
      if (this.#isDone) return undefined
      try {
        await this.#read()
      } catch (error) {
        await this.#fail(error)
      }
    }
  }

  async leave(reason: unknown): Promise<void> {
    this.#isDone = true
    this.#ready = []
    this.#asked.signals.stop(reason)
    await this.#asked.leave(undefined)
    await this.#reader.cancel(reason).catch(() => {})
  }

  #out = (part: StreamPart): void => {
    if (!this.#isDone) this.#ready.push(part)
  }

  async #read(): Promise<void> {
    // A kill does not wait for what the model says next.
    const { done, value } = await Promise.race([this.#reader.read(), this.#asked.signals.aborted])
    if (done) return this.#end()
    if (this.#isThrough) return
    if (this.#gate.take(value, this.#out) === "judge") await this.#judge()
  }

  async #judge(): Promise<void> {
    const { retry, feedback, removed } = await this.#asked.finish(this.#gate.answer())
    if (retry && (await this.#askAgain(feedback))) return
    this.#gate.release(retry ? feedback : removed, this.#out)
    this.#isThrough = true
  }

  async #askAgain(feedback: ReadonlyMap<string, string>): Promise<boolean> {
    const next = await this.#again(this.#gate.content, feedback)
    if (next === undefined) return false
    quietly(this.#reader.cancel())
    this.#asked = next.asked
    this.#reader = next.stream.getReader()
    this.#gate.restart()
    // Left while it was asked.
    if (this.#isDone) await this.leave(undefined)
    return true
  }

  async #end(): Promise<void> {
    if (!this.#isThrough && this.#gate.isCut)
      throw new ModelStreamError("ended_early", "The stream ended in the middle of a tool call.")
    await this.#asked.leave(undefined)
    this.#isDone = true
  }

  async #fail(broken: unknown): Promise<void> {
    const error = this.#asked.why(broken)
    this.#ready = isOurs(error, this.#asked) ? [{ type: "error", error }] : []
    this.#failure = { error }
    this.#asked.signals.stop(error)
    await this.#asked.leave(undefined)
    // Not waited for: it may never end.
    quietly(this.#reader.cancel(error))
  }
}

const quietly = (left: Promise<unknown>): void => {
  left.catch(() => {})
}
