/**
 * One reader's server-sent events: the text to write next, whenever it asks. It keeps nothing but its place.
 *
 * On a quiet stream it gives a comment now and then, and looks whether the reader may still read. It ends with a hint when
 * to come back; the last `id` that was written resumes it.
 */
import type { Feed } from "./Feed.ts"

export interface EventStreamOptions {
  readonly feed: Feed
  readonly after: number
  readonly heartbeatMs: number
  /** Whether the reader's key is still good. */
  readonly mayRead: () => Promise<boolean>
  readonly onClose: () => void
}

const hint = (ms: number): string => `retry: ${Math.round(ms)}\n\n`
/** Readers of a server that stops come back spread over this time, not all at once. */
const spreadMs = 3000
const retryMs = 1000

export class EventStream {
  readonly #options: EventStreamOptions
  #after: number
  #opening = true
  #finishing = false
  #closed = false
  #wake: (() => void) | undefined

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#after = options.after
  }

  /** The next text, or null at the end. One caller at a time. */
  async next(): Promise<string | null> {
    if (this.#opening) {
      this.#opening = false
      return hint(retryMs)
    }
    for (;;) {
      if (this.#closed) return null
      if (this.#finishing) return this.#last()
      const frames = await this.#read()
      if (frames === "broken") return this.#last()
      if (frames !== undefined) {
        this.#after = frames.after
        return frames.text
      }
      if (this.#options.feed.ended) return this.#last()
      const isLate = await this.#wait()
      if (!isLate || this.#closed || this.#finishing) continue
      if (await this.#options.mayRead().catch(() => true)) return ":\n\n"
      this.close()
      return null
    }
  }

  /** Ends it with a hint when to come back: the server stops. */
  finish(): void {
    this.#finishing = true
    this.#wake?.()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#options.feed.leave()
    this.#options.onClose()
    this.#wake?.()
  }

  /** A store that does not answer ends the stream; its reader comes back. */
  #read() {
    return this.#options.feed.read(this.#after).catch(() => "broken" as const)
  }

  #last(): string {
    this.close()
    return hint(retryMs + Math.random() * spreadMs)
  }

  /** Until there is more or the end; true where the time for a comment came first. */
  #wait(): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (isLate: boolean): void => {
        clearTimeout(timer)
        stop()
        this.#wake = undefined
        resolve(isLate)
      }
      let stop = (): void => {}
      const timer = setTimeout(() => done(true), this.#options.heartbeatMs)
      this.#wake = () => done(false)
      stop = this.#options.feed.whenBeyond(this.#after, () => done(false))
    })
  }
}
