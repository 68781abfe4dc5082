/**
 * A short text that is the same for equal calls, and for all practical purposes for no others.
 *
 * Equal are calls of one tool whose arguments are the same JSON, whatever the order of keys. A long text is cut to its length
 * and a hash of 64 bits: two calls that collide could only block each other as a loop, never let one through.
 */
import { canonicalJson } from "../canonical.ts"

const keptChars = 96

export const fingerprintOf = (tool: string, args: unknown): string => {
  // The length tells where the tool ends, for a tool's name as a model writes it may hold anything.
  const text = `${tool.length}:${tool}${argumentsText(args)}`
  return text.length <= keptChars
    ? text
    : `#${text.length}:${hash(text, 0x811c9dc5, 0x01000193)}${hash(text, 7, 0x85ebca6b)}`
}

/** What is no JSON, or nested past the stack, was no call that could have run: all such calls of a tool are equal. */
const argumentsText = (args: unknown): string => {
  if (args === undefined) return ""
  try {
    return canonicalJson(args)
  } catch {
    return "?"
  }
}

const hash = (text: string, start: number, factor: number): string => {
  let mixed = start
  for (let index = 0; index < text.length; index++) mixed = Math.imul(mixed ^ text.charCodeAt(index), factor)
  // The low bits of a product never learn of the high ones.
  return ((mixed ^ (mixed >>> 15)) >>> 0).toString(36)
}
