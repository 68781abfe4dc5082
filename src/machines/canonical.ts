/**
 * Canonical JSON: one text for one value, whatever the order of its keys.
 *
 * Used where two values must be told apart or recognised (the content of a repeated offer, the fingerprint of a command, the
 * hash of a definition), never where speed counts more.
 */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item === undefined ? null : item)).join(",")}]`
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`
  }
  return JSON.stringify(value) ?? "null"
}
