/**
 * Paths such as `$.items[0].id` into a call's arguments or a tool's output: how they are written, and what they lead to.
 */

/** A path as member names; undefined for a text that is none. */
export const parseArgumentPath = (text: string): ReadonlyArray<string> | undefined => {
  if (!/^\$(?:\.[^.[\]\s]+|\[\d{1,9}\])+$/.test(text)) return undefined
  return [...text.matchAll(/\.([^.[\]\s]+)|\[(\d+)\]/g)].map((part) => part[1] ?? part[2] ?? "")
}

/** The value that a path leads to; undefined where it leads nowhere, which no JSON value is. */
export const valueAt = (value: unknown, path: ReadonlyArray<string>): unknown => {
  let at = value
  for (const member of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, member)) return undefined
    // A list's own `length` is JavaScript's, not JSON's.
    if (member === "length" && Array.isArray(at)) return undefined
    at = (at as { readonly [member: string]: unknown })[member]
  }
  return at
}
