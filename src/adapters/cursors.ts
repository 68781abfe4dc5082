/**
 * Cursors: where the page before ended, as text that callers pass back unread.
 *
 * Both stores use this one form, so a cursor means the same place on either. It holds the sort key of the last row, not an
 * offset: rows that arrive between two pages neither repeat nor hide any.
 */

/** The sort key of a listing: a number (time or sequence), then the row's id. */
export interface Place {
  readonly order: number
  readonly id: string
}

export const encodeCursor = (place: Place): string =>
  Buffer.from(JSON.stringify([place.order, place.id]), "utf8").toString("base64url")

/** Undefined for a text that `encodeCursor` never made. */
export const decodeCursor = (cursor: string): Place | undefined => {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"))
    if (!Array.isArray(value) || value.length !== 2) return undefined
    const [order, id] = value as ReadonlyArray<unknown>
    return Number.isSafeInteger(order) && typeof id === "string" ? { order: order as number, id } : undefined
  } catch {
    return undefined
  }
}
