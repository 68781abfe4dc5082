/**
 * The errors of the fence checkers.
 *
 * - `StaleFenceError`: a newer token was seen, so the write was refused and nothing of it happened.
 * - `FenceError`: the write could not be checked or made; `code` says why. Nothing of it happened either, unless it says so.
 */
import type { Fence } from "../../machines/ids.ts"

/**
 * Somebody with a newer token has been there: the caller was reclaimed, killed, or has lost its turn. Final for this token. A
 * tool whose only effect was the refused write may throw `ToolAborted` in its place, and its step is aborted.
 */
export class StaleFenceError extends Error {
  override readonly name = "StaleFenceError"
  /** The resource, and the token that came too late. */
  readonly fence: Fence
  /** The newest token that the guarded system has seen; always greater. */
  readonly newest: number

  constructor({ name, key, token }: Fence, newest: number) {
    super(
      `The fencing token ${token} of ${name}/${key} is stale: ${newest} was seen. Stop writing; nothing was written.`,
    )
    this.fence = { name, key, token }
    this.newest = newest
  }
}

/**
 * - `invalid`: an argument can't be right; the message names it. Mend the program.
 * - `missing`: the request carries no token of a resource that it changes.
 * - `contended`: other writers were faster, time after time. Try again.
 * - `moved`: the git ref is not at the value that the caller expected. Look at it anew.
 * - `full`: a store of bounded size has no room. Raise its bound, or wait.
 * - `failed`: the guarded system refused for reasons of its own; `cause` has them.
 */
export type FenceErrorCode = "invalid" | "missing" | "contended" | "moved" | "full" | "failed"

export class FenceError extends Error {
  override readonly name = "FenceError"
  readonly code: FenceErrorCode

  constructor(code: FenceErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
