/**
 * Whether a session may still act in this process, and who must hear when it may not.
 *
 * It ends once, with the error that every later call throws. A kill, a failure by somebody else and the caller's own signal abort
 * `signal`; completing and closing do not, because nobody took anything away. Whatever runs or waits hears of each end.
 */
import { ReplayKillError } from "../errors.ts"

type Listener = (why: unknown) => void

export class Life {
  readonly #controller = new AbortController()
  /** A set of our own: a long-lived AbortSignal keeps every listener and derived signal that it ever had. */
  readonly #listeners = new Set<Listener>()
  #end: { readonly why: unknown } | undefined

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get hasEnded(): boolean {
    return this.#end !== undefined
  }

  get isKilled(): boolean {
    return this.#end?.why instanceof ReplayKillError
  }

  /** Throws why no call may be made any more. */
  check(): void {
    if (this.#end !== undefined) throw this.why()
  }

  /** Why it ended. A kill is a new error each time, so that each call has its own stack, cause and outcome. */
  why(cause?: unknown): unknown {
    const why = this.#end?.why
    return why instanceof ReplayKillError ? new ReplayKillError(why, cause) : why
  }

  /** The first end counts. */
  end(why: unknown, { abort }: { readonly abort: boolean }): void {
    if (this.#end !== undefined) return
    this.#end = { why }
    if (abort) this.#controller.abort(why)
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener(why)
  }

  /** Calls back at the end, at once where it has come. Returns the function that stops it. */
  onEnd(listener: Listener): () => void {
    if (this.#end !== undefined) {
      listener(this.#end.why)
      return () => {}
    }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
