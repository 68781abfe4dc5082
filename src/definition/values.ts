/**
 * Readers of single values: names, counts, amounts, durations, choices and paths.
 *
 * Strict on purpose: a number in quotes or a duration without a unit is an error with the fix, because a guess that is wrong
 * by a factor of a thousand is a limit that nobody set.
 */
import { Result, Schema } from "effect"
import { Name, toMicros } from "../machines/ids.ts"
import { parseArgumentPath } from "../machines/paths.ts"
import { bounds } from "./bounds.ts"
import type { Locate } from "./Diagnostic.ts"
import type { Read } from "./Fields.ts"
import { didYouMean } from "./suggest.ts"
import { describe, type Node, quoted } from "./tree.ts"

export interface Located<A> {
  readonly value: A
  readonly at: Locate
}

export const located =
  <A>(read: Read<A>): Read<Located<A>> =>
  (node, report) => {
    const value = read(node, report)
    return value === undefined ? undefined : { value, at: node.at }
  }

export const readText: Read<string> = (node, report) => {
  if (node.kind === "scalar" && typeof node.value === "string") {
    if (node.value.length > bounds.textChars) {
      report("out_of_range", node.at, `a text may have at most ${bounds.textChars} characters`)
      return undefined
    }
    return node.value
  }
  report("wrong_type", node.at, `this must be text, but it is ${describe(node)}`, () => {
    const written = node.kind === "scalar" && node.value !== null ? (node.source ?? String(node.value)) : undefined
    return written === undefined ? undefined : `put it in quotes: \`"${written}"\``
  })
  return undefined
}

export const isName = (text: string): boolean => Result.isSuccess(decodeName(text))
const decodeName = Schema.decodeUnknownResult(Name)

/** A declared name. One that breaks the pattern is reported and still answered: what refers to it is not an unknown. */
export const readName: Read<string> = (node, report) => {
  const name = readText(node, report)
  if (name !== undefined && !isName(name)) {
    report(
      "invalid_name",
      node.at,
      `${quoted(name)} is not a name: 1 to 128 characters of A-Z a-z 0-9 _ . : - that start with a letter or a digit`,
      () => nameLike(name),
    )
  }
  return name
}

const nameLike = (text: string): string | undefined => {
  const near = text
    .trim()
    .replace(/[^A-Za-z0-9_.:-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .replace(/-+$/, "")
  return isName(near) ? `for example \`${near}\`` : undefined
}

export const readBoolean: Read<boolean> = (node, report) => {
  if (node.kind === "scalar" && typeof node.value === "boolean") return node.value
  report("wrong_type", node.at, `this must be true or false, but it is ${describe(node)}`, () => {
    const word = node.kind === "scalar" ? String(node.value).toLowerCase() : ""
    if (["yes", "on", "true", "1"].includes(word)) return "write `true`"
    return ["no", "off", "false", "0"].includes(word) ? "write `false`" : undefined
  })
  return undefined
}

const readNumber: Read<number> = (node, report) => {
  if (node.kind === "scalar" && typeof node.value === "number") return node.value
  const text = node.kind === "scalar" && typeof node.value === "string" ? node.value : ""
  report("wrong_type", node.at, `this must be a number, but it is ${describe(node)}`, () =>
    /^-?\d+(\.\d+)?$/.test(text) ? `write it without quotes: ${text}` : undefined,
  )
  return undefined
}

export const readFinite: Read<number> = readNumber

/** An integer of `least` to 2^53 - 1. */
const readInteger =
  (least: number): Read<number> =>
  (node, report) => {
    const value = readNumber(node, report)
    if (value === undefined) return undefined
    if (Number.isSafeInteger(value) && value >= least) return value
    report("out_of_range", node.at, `this must be a whole number of at least ${least}, but it is ${value}`)
    return undefined
  }

export const readCount: Read<number> = readInteger(0)
export const readPositive: Read<number> = readInteger(1)

/** A decimal amount as micro-units. */
export const readAmount: Read<number> = (node, report) => {
  const value = readNumber(node, report)
  if (value === undefined) return undefined
  if (value >= 0 && value <= bounds.amount) return toMicros(value)
  report("out_of_range", node.at, `an amount is 0 to ${bounds.amount}, but this is ${value}`)
  return undefined
}

const durationPattern = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,12})ms)?$/
const unitsMs = [24 * 3600 * 1000, 3600 * 1000, 60 * 1000, 1000, 1]

/** A duration such as `500ms`, `2m` or `1h30m`, as milliseconds of at least 1. */
export const readDuration: Read<number> = (node, report) => {
  if (node.kind !== "scalar" || typeof node.value !== "string") {
    const isNumber = node.kind === "scalar" && typeof node.value === "number" && node.value > 0
    report(
      "invalid_duration",
      node.at,
      `a duration needs a unit (ms, s, m, h or d), but this is ${describe(node)}`,
      () => (isNumber ? `did you mean \`${node.value}s\`?` : undefined),
    )
    return undefined
  }
  const ms = durationMs(node.value)
  if (ms === undefined) {
    report("invalid_duration", node.at, `${quoted(node.value)} is not a duration`, () => durationFix(node.value))
    return undefined
  }
  if (ms >= 1 && ms <= bounds.durationMs) return ms
  report(
    "invalid_duration",
    node.at,
    `a duration is 1ms to ${bounds.durationMs / 86_400_000}d, but this is ${quoted(node.value)}`,
  )
  return undefined
}

/** Undefined for a text that is no duration. */
export const durationMs = (text: string): number | undefined => {
  const parts = text === "" ? null : durationPattern.exec(text)
  return parts?.slice(1).reduce((sum, digits, index) => sum + Number(digits ?? 0) * (unitsMs[index] ?? 0), 0)
}

const durationFix = (value: unknown): string => {
  const compact = String(value)
    .toLowerCase()
    .replace(/\s+/g, "")
    .replace(/(sec|min|hour|day)[a-z]*/g, (word) => word.slice(0, 1))
  return durationMs(compact) === undefined
    ? "write it as `500ms`, `30s`, `2m`, `24h`, `7d` or `1h30m`"
    : `did you mean \`${compact}\`?`
}

/** One of a few words. */
export const readChoice =
  <const A extends string>(choices: ReadonlyArray<A>): Read<A> =>
  (node, report) => {
    const value =
      node.kind === "scalar"
        ? typeof node.value === "string"
          ? node.value
          : (node.source ?? String(node.value))
        : undefined
    const chosen = choices.find((choice) => choice === value)
    if (chosen !== undefined) return chosen
    const list = choices.map((choice) => `\`${choice}\``).join(", ")
    report("unknown_value", node.at, `this must be one of ${list}, but it is ${describe(node)}`, () =>
      didYouMean(value ?? "", choices),
    )
    return undefined
  }

/** `schema_version`, which is text: 1.0 as a number is 1, and so would be 1.00. */
export const readVersion: Read<"1.0"> = (node, report) => {
  if (node.kind === "scalar" && node.value === "1.0") return "1.0"
  report(
    "unsupported_version",
    node.at,
    `schema_version must be the text "1.0", but this is ${describe(node)}`,
    () => 'write `schema_version: "1.0"`',
  )
  return undefined
}

/** A path into a call's arguments or a tool's output. */
export const readPath: Read<ReadonlyArray<string>> = (node, report) => {
  const text = readText(node, report)
  if (text === undefined) return undefined
  const path = parseArgumentPath(text)
  if (path === undefined) {
    report(
      "invalid_path",
      node.at,
      `${quoted(text)} is not a path such as \`$.environment\` or \`$.items[0].id\``,
      () => pathFix(text, node),
    )
  }
  return path
}

const pathFix = (text: string, node: Node): string | undefined => {
  const fixed = text.startsWith(".") ? `$${text}` : `$.${text.replace(/^\$/, "")}`
  return node.kind === "scalar" && parseArgumentPath(fixed) !== undefined ? `did you mean \`${fixed}\`?` : undefined
}
