/**
 * One call of a framework's model under a turn of the governor, from the request to whichever end comes first: the verdict, a
 * failure, a kill.
 */

import type { Pipeline } from "../governor/Pipeline.ts"
import type { ModelAnswer, ModelRequest, ModelUsage, Turn, Verdict } from "../governor/Turn.ts"
import { ReplaySession } from "../ReplaySession.ts"
import { isRefusalError } from "./refusals.ts"
import { type Joined, joined } from "./signals.ts"

/** Any session of `replay`. */
export interface AnySession {
  readonly tools: object
}

/** What stands behind a session. Throws `ReplayConfigError` where it is none. */
export const pipelineOf = (session: AnySession): Pipeline => ReplaySession.pipelineOf(session)

export class Asked {
  readonly turn: Turn
  readonly signals: Joined
  #isOver = false

  constructor(turn: Turn, callers: AbortSignal | undefined) {
    this.turn = turn
    this.signals = joined([turn.signal, callers])
  }

  /** Sends the request; a kill does not wait for a model that minds no signal. */
  async send<A>(request: (signal: AbortSignal) => PromiseLike<A>): Promise<A> {
    const { signal, aborted } = this.signals
    try {
      return await Promise.race([request(signal), aborted])
    } catch (error) {
      await this.leave(undefined)
      throw this.why(error)
    }
  }

  /** What to tell of an error: a session that has ended breaks what it has under way, each thing in its own words. */
  why(error: unknown): unknown {
    return this.turn.signal.aborted ? this.turn.signal.reason : error
  }

  finish(answer: ModelAnswer): Promise<Verdict> {
    this.#isOver = true
    this.signals.release()
    return this.turn.finish(answer)
  }

  /** Ends the turn without an answer, unless it has ended. */
  async leave(usage: ModelUsage | undefined): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.signals.release()
    await this.turn.fail(usage)
  }
}

/** Begins a turn. Rejects where the model may not be asked. */
export const begun = async (
  { governor }: Pipeline,
  request: ModelRequest,
  callers: AbortSignal | undefined,
): Promise<Asked> => new Asked(await governor.begin(request), callers)

/** Whether an error is ours: a refusal, or a session's end, whatever the error of that is. */
export const isOurs = (error: unknown, asked: Asked): boolean => isRefusalError(error) || asked.turn.signal.aborted
