/**
 * One reader's server-sent events: the bytes to write next, whenever it asks. It keeps nothing but its place.
 *
 * On a quiet stream it gives a comment now and then, and looks whether the reader may still read. It ends with a hint when
 * to come back; the last `id` that was written resumes it.
 */
import type { Feed, Frames } from "./Feed.ts"

export interface EventStreamOptions {
  readonly feed: Feed
  readonly after: number
  readonly heartbeatMs: number
  /** Whether the reader's key is still good. */
  readonly mayRead: () => Promise<boolean>
  readonly onClose: () => void
}

const hint = (ms: number): Uint8Array => Buffer.from(`retry: ${Math.round(ms)}\n\n`)
const comment: Uint8Array = Buffer.from(":\n\n")
/** Readers of a server that stops come back spread over this time, not all at once. */
const spreadMs = 3000
const retryMs = 1000

export class EventStream {
  readonly #options: EventStreamOptions
  #after: number
  #opening = true
  #finishing = false
  #closed = false
  /** Ends the wait; true where the time for a comment came first. */
  #wake: ((isLate: boolean) => void) | undefined
  /** One for the life of the stream: a busy one moves it on with each wait. */
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#after = options.after
  }

  /** The next bytes, or null at the end. One caller at a time. */
  async next(): Promise<Uint8Array | null> {
    if (this.#opening) {
      this.#opening = false
      return hint(retryMs)
    }
    for (;;) {
      if (this.#closed) return null
      if (this.#finishing) return this.#last()
      let frames: Frames | undefined
      try {
        const found = this.#options.feed.read(this.#after)
        frames = found instanceof Promise ? await found : found
      } catch {
        // A store that does not answer ends the stream; its reader comes back.
        return this.#last()
      }
      if (frames !== undefined) {
        this.#after = frames.after
        return frames.bytes
      }
      if (this.#options.feed.ended) return this.#last()
      const isLate = await this.#wait()
      if (!isLate || this.#closed || this.#finishing) continue
      if (await this.#options.mayRead().catch(() => true)) return comment
      this.close()
      return null
    }
  }

  /** Ends it with a hint when to come back: the server stops. */
  finish(): void {
    this.#finishing = true
    this.#wake?.(false)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#options.feed.leave()
    this.#options.onClose()
    this.#wake?.(false)
  }

  #last(): Uint8Array {
    this.close()
    return hint(retryMs + Math.random() * spreadMs)
  }

  /** Until there is more or the end; true where the time for a comment came first. */
  #wait(): Promise<boolean> {
    return new Promise((resolve) => {
      let stop = (): void => {}
      this.#wake = (isLate) => {
        this.#wake = undefined
        stop()
        resolve(isLate)
      }
      if (this.#timer === undefined) this.#timer = setTimeout(() => this.#wake?.(true), this.#options.heartbeatMs)
      else this.#timer.refresh()
      stop = this.#options.feed.whenBeyond(this.#after, () => this.#wake?.(false))
    })
  }
}
