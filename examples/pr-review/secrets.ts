/**
 * Secrets in a line, found by their form (a provider's prefix, a key's header), by the name that they are assigned to,
 * and by entropy: a password generator's output has more bits a character than any word.
 *
 * What is found is never shown whole: a review is read by more people than the change, and is kept for longer.
 */
import type { FileKind } from "./kinds.ts"

export interface Secret {
  readonly rule: "secret-aws-key" | "secret-private-key" | "secret-in-url" | "secret-assigned" | "secret-high-entropy"
  readonly start: number
  readonly end: number
  /** False where the text is only a sign of a secret nearby, such as the header of a key. */
  readonly hide: boolean
}

/** Bits a character: 0 for "aaaa", log2(n) for n different characters. */
export const shannonEntropy = (text: string): number => {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}

const awsKey = /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g
const privateKey = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g
const urlPassword = /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/"'`]{1,100}:([^\s:@/"'`]{3,200})@/gi
const secretName =
  "(?:api[_-]?key|access[_-]?key|secret|token|passw(?:or)?d|pwd|auth|credentials?|private[_-]?key)[\\w-]{0,40}"
const quotedAssignment = new RegExp(
  `${secretName}["']?\\]?\\s{0,9}(?:[:=]|=>|:=)\\s{0,9}["'\`]([^"'\`\\s]{8,500})["'\`]`,
  "gi",
)
/** Without quotes only where a file of settings has none: elsewhere the right side is code. */
const bareAssignment = new RegExp(`${secretName}\\s{0,9}[:=]\\s{0,9}([^"'\`\\s#]{8,500})\\s*$`, "gi")
const quotedBlob = /["'`]([A-Za-z0-9+/_=-]{32,500})["'`]/g

/** What stands where the secret goes in: nobody is helped by a warning about it. */
const placeholder =
  /^(?:\$|<|%|\{\{|process\.env|env\.|os\.|secrets?\.)|\$\{|x{4}|\*{3}|\.{3}|your|change_?me|placeholder|dummy|example\.com|^(?:null|undefined|true|false|required)/i
const minNamedBits = 3
const minBlobBits = 4.3

/** The secrets of one line from left to right, none within another. `kind` is that of the file. */
export const findSecrets = (text: string, kind: FileKind): readonly Secret[] => {
  const found: Secret[] = [
    ...matches(text, awsKey, "secret-aws-key", () => true),
    ...matches(text, privateKey, "secret-private-key", () => true, false),
    ...matches(text, urlPassword, "secret-in-url", (value) => !placeholder.test(value)),
    ...matches(text, quotedAssignment, "secret-assigned", isRandom),
  ]
  if (kind === "config") found.push(...matches(text, bareAssignment, "secret-assigned", isRandom))
  // Lock files and manifests are full of hashes that are public by intent.
  if (kind !== "lock" && kind !== "docs") found.push(...matches(text, quotedBlob, "secret-high-entropy", isRandomBlob))
  const kept: Secret[] = []
  for (const secret of found) {
    if (kept.every((other) => secret.end <= other.start || secret.start >= other.end)) kept.push(secret)
  }
  return kept.sort((a, b) => a.start - b.start)
}

const matches = (
  text: string,
  pattern: RegExp,
  rule: Secret["rule"],
  accept: (value: string) => boolean,
  hide = true,
): Secret[] => {
  const found: Secret[] = []
  for (const match of text.matchAll(pattern)) {
    // The group, where there is one, is the secret itself, and the last thing of its kind in the match.
    const value = match[1] ?? match[0]
    const start = match.index + match[0].lastIndexOf(value)
    if (accept(value)) found.push({ rule, start, end: start + value.length, hide })
  }
  return found
}

const isRandom = (value: string): boolean =>
  !placeholder.test(value) && shannonEntropy(value) >= minNamedBits && /\d|[^\w]/.test(value)

/** Upper case, lower case and digits together: not a path, a constant's name or a git commit. */
const isRandomBlob = (value: string): boolean =>
  /[a-z]/.test(value) &&
  /[A-Z]/.test(value) &&
  /\d/.test(value) &&
  !placeholder.test(value) &&
  shannonEntropy(value) >= minBlobBits

/** The line with each secret cut down to what tells an owner which one it is. */
export const redact = (text: string, secrets: readonly Secret[]): string => {
  let shown = ""
  let from = 0
  for (const { start, end, hide } of secrets) {
    if (!hide) continue
    shown += `${text.slice(from, start)}${text.slice(start, start + Math.min(4, Math.floor((end - start) / 4)))}…[${end - start} characters hidden]`
    from = end
  }
  return shown + text.slice(from)
}
