/** Ids kept in the order of a listing. Appending at the end, as time and sequences do, costs nothing extra. */
import type { Page } from "../../runtime/Journal.ts"
import { decodeCursor, encodeCursor, type Place } from "../cursors.ts"

const isBefore = (a: Place, b: Place): boolean => a.order < b.order || (a.order === b.order && a.id < b.id)

export class SortedPlaces {
  readonly #places: Array<Place> = []

  add(order: number, id: string): void {
    const place = { order, id }
    let at = this.#places.length
    for (
      let before = this.#places[at - 1];
      before !== undefined && isBefore(place, before);
      before = this.#places[at - 1]
    )
      at--
    if (at === this.#places.length) this.#places.push(place)
    else this.#places.splice(at, 0, place)
  }

  /** Rows after `cursor`, in order or newest first, that `row` finds and keeps (undefined leaves one out). */
  page<A>(
    query: { readonly cursor?: string; readonly limit: number; readonly newestFirst: boolean },
    row: (id: string) => A | undefined,
  ): Page<A> {
    const from = query.cursor === undefined ? undefined : decodeCursor(query.cursor)
    if (query.cursor !== undefined && from === undefined) return { items: [], cursor: null }
    const step = query.newestFirst ? -1 : 1
    let at = this.#start(from, query.newestFirst)
    const items: Array<A> = []
    let last: Place | undefined
    for (; items.length < query.limit; at += step) {
      const place = this.#places[at]
      if (place === undefined) return { items, cursor: null }
      const item = row(place.id)
      if (item === undefined) continue
      items.push(item)
      last = place
    }
    // A page is followed by another one only if something is left: the cursor of the last page is null on every store.
    for (; this.#places[at] !== undefined; at += step) {
      if (row((this.#places[at] as Place).id) !== undefined) {
        return { items, cursor: last === undefined ? null : encodeCursor(last) }
      }
    }
    return { items, cursor: null }
  }

  #start(from: Place | undefined, newestFirst: boolean): number {
    if (from === undefined) return newestFirst ? this.#places.length - 1 : 0
    let low = 0
    let high = this.#places.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const place = this.#places[middle] as Place
      if (newestFirst ? isBefore(place, from) : !isBefore(from, place)) low = middle + 1
      else high = middle
    }
    return newestFirst ? low - 1 : low
  }
}
