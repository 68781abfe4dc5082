/**
 * Canonical JSON (in the spirit of RFC 8785): one text for one value, whatever the order of its keys.
 *
 * Used where two values must be told apart or recognised (the content of a repeated offer, the fingerprint of a command, the
 * hash of a definition), never where speed counts more. Keys are sorted by their UTF-16 code units, nothing is spaced, numbers
 * are written as ECMAScript writes them. What JSON can't hold is a defect of the caller and throws a TypeError.
 */
export const canonicalJson = (value: unknown): string => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return JSON.stringify(value)
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no JSON`)
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item: unknown) => canonicalJson(item)).join(",")}]`
  if (typeof value !== "object") throw new TypeError(`${typeof value} has no JSON`)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
  return `{${members.join(",")}}`
}
