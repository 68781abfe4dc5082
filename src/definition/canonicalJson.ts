/**
 * Canonical JSON (in the spirit of RFC 8785) and its sha256: the identity of a definition.
 *
 * Keys are sorted by their UTF-16 code units, nothing is spaced, numbers are written as ECMAScript writes them. Two values
 * that are equal as JSON have the same text. What JSON can't hold is a defect of the caller and throws a TypeError.
 */
import { hash } from "node:crypto"

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

/** Lowercase hex. The one-shot hash makes no native object for the garbage collector to finalise. */
export const sha256Hex = (text: string): string => hash("sha256", text, "hex")
