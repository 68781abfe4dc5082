/**
 * Fencing tokens in the memory of one process: for a service of one process whose own state is there too, and for tests.
 *
 * Guarantee: works with a resource in common run one after another, and none begins after one with a greater token has begun.
 * Limits: a restart forgets the tokens, and a second process has its own. Nothing is ever forgotten to make room, because a
 * forgotten token would let a stale write pass: at the bound new resources are refused.
 */
import { type Fence, type ResourceRef, resourceKey } from "../../machines/ids.ts"
import { FenceError, StaleFenceError } from "./errors.ts"
import { checkedFences } from "./fence.ts"

export interface MemoryFencesOptions {
  /** Resources whose token is kept. Default 100,000. */
  readonly maxResources?: number
  /** Works that run or wait, at most. Default 10,000. */
  readonly maxWaiting?: number
}

interface Place {
  token: number
  /** Ends when the last work that came has ended. */
  last: Promise<void>
}

export class MemoryFences {
  readonly #places = new Map<string, Place>()
  readonly #maxResources: number
  readonly #maxWaiting: number
  #waiting = 0

  constructor({ maxResources = 100_000, maxWaiting = 10_000 }: MemoryFencesOptions = {}) {
    this.#maxResources = maxResources
    this.#maxWaiting = maxWaiting
  }

  /** Runs `work` alone on its resources. Throws `StaleFenceError`, and `FenceError` `full` at a bound. */
  async transaction<A>(fences: ReadonlyArray<Fence>, work: (connection: undefined) => Promise<A> | A): Promise<A> {
    const all = checkedFences(fences)
    if (this.#waiting >= this.#maxWaiting)
      throw new FenceError("full", `${this.#waiting} writes are waiting. Try again in a moment.`)
    const places = all.map((fence) => ({ fence, place: this.#placeOf(fence) }))
    const before = Promise.all(places.map(({ place }) => place.last))
    let end: () => void = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    for (const { place } of places) place.last = ended
    this.#waiting += 1
    try {
      await before
      for (const { fence, place } of places)
        if (place.token > fence.token) throw new StaleFenceError(fence, place.token)
      for (const { fence, place } of places) place.token = fence.token
      return await work(undefined)
    } finally {
      this.#waiting -= 1
      end()
    }
  }

  #placeOf(resource: ResourceRef): Place {
    const key = resourceKey(resource)
    const found = this.#places.get(key)
    if (found !== undefined) return found
    if (this.#places.size >= this.#maxResources)
      throw new FenceError(
        "full",
        `The tokens of ${this.#maxResources} resources are kept, and there is no room for more.`,
      )
    const place = { token: 0, last: Promise.resolve() }
    this.#places.set(key, place)
    return place
  }
}
