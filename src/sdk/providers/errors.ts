/** What goes wrong with a provider's stream and is nobody else's error. */

export type ModelStreamErrorCode = "event_too_large" | "held_too_large" | "ended_early" | "retry_refused"

/**
 * A stream could not be judged, so nothing more of it is handed out. Asking again may help.
 *
 * - `event_too_large`, `held_too_large`: the answer is beyond what is held in memory until it is judged.
 * - `ended_early`: it ended in the middle of a tool call.
 * - `retry_refused`: the blocked answer was fed back, and the provider refused that request.
 */
export class ModelStreamError extends Error {
  override readonly name = "ModelStreamError"
  readonly code: ModelStreamErrorCode

  constructor(code: ModelStreamErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
