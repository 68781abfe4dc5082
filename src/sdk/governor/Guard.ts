/**
 * How many calls may go through while the control plane can't be reached (`onError: "allow"`).
 *
 * It counts since the control plane last answered, so that an outage is bridged and never becomes the normal case.
 */
import { isInfrastructure } from "../../runtime/errors.ts"

export class Guard {
  readonly #most: number
  #used = 0

  /** 0: none. */
  constructor(most: number) {
    this.#most = most
  }

  /** Whether a call could go on in spite of this error. */
  covers(error: unknown): boolean {
    return isInfrastructure(error) && this.#used < this.#most
  }

  /** Lets a call go on in spite of this error, if it may. Each yes is one of those that there are. */
  lets(error: unknown): boolean {
    if (!this.covers(error)) return false
    this.#used += 1
    return true
  }

  answered(): void {
    this.#used = 0
  }
}
