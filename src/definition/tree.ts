/**
 * The tree that all readers read: maps, lists and scalars, each with its place.
 *
 * It stands between the sources (YAML with lines and columns, or a compiled artifact's JSON with paths) and the readers,
 * so that both go through the very same checks.
 */
import type { Schema } from "effect"
import { bounds } from "./bounds.ts"
import type { Locate, Report } from "./Diagnostic.ts"

export interface ScalarNode {
  readonly kind: "scalar"
  readonly value: string | number | boolean | null
  /** As it is written, where that is known: `1.0` for the number 1. */
  readonly source: string | undefined
  readonly at: Locate
}
export interface Entry {
  readonly key: string
  /** Where the key stands. */
  readonly at: Locate
  readonly value: Node
}
export interface MapNode {
  readonly kind: "map"
  readonly entries: ReadonlyArray<Entry>
  readonly at: Locate
}
export interface ListNode {
  readonly kind: "list"
  readonly items: ReadonlyArray<Node>
  readonly at: Locate
}
export type Node = ScalarNode | MapNode | ListNode
export type Path = ReadonlyArray<string | number>

/** The value of a key, if the map has it. */
export const entryOf = (node: MapNode, key: string): Entry | undefined =>
  node.entries.find((entry) => entry.key === key)

/** "a list", "the number 3": how a message names what stands there. */
export const describe = (node: Node): string => {
  if (node.kind !== "scalar") return node.kind === "map" ? "a map" : "a list"
  if (node.value === null) return "nothing"
  if (typeof node.value === "string") return node.value === "" ? "an empty text" : `the text ${quoted(node.value)}`
  return `${typeof node.value === "number" ? "the number" : "the value"} ${quoted(node.source ?? String(node.value))}`
}

/** A piece of the user's text in a message, bounded. */
export const quoted = (text: string): string => `\`${text.length > 80 ? `${text.slice(0, 80)}…` : text}\``

export const toJson = (node: Node): Schema.Json => {
  if (node.kind === "scalar") return node.value
  if (node.kind === "list") return node.items.map(toJson)
  return Object.fromEntries(node.entries.map((entry) => [entry.key, toJson(entry.value)]))
}

/** The node that a path leads to. */
export const nodeAt = (node: Node, path: Path): Node | undefined =>
  path.reduce<Node | undefined>((here, step) => (here === undefined ? undefined : childOf(here, step)), node)

/** The place of what a path leads to, or of the last part of it that exists. */
export const locate = (node: Node, path: Path): Locate => {
  let here = node
  for (const step of path) {
    const next = childOf(here, step)
    if (next === undefined) break
    here = next
  }
  return here.at
}

const childOf = (node: Node, step: string | number): Node | undefined => {
  if (node.kind === "scalar") return undefined
  return node.kind === "map" ? entryOf(node, String(step))?.value : node.items[Number(step)]
}

/** A path as a JSON pointer. */
const pointer = (path: Path): string =>
  path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")

/** Places in a compiled artifact: there are no lines, so the excerpt is the path. */
export const artifactPlace =
  (file: string, path: Path): Locate =>
  () => ({
    file,
    line: 1,
    column: 1,
    excerpt: pointer(path).slice(0, bounds.excerptChars),
  })

/** A plain JSON value as a tree; undefined when it is too deep, too large or not JSON, which has then been reported. */
export const fromJson = (value: unknown, file: string, path: Path, report: Report): Node | undefined => {
  let nodes = 0
  let isExcessive = false
  const visit = (here: unknown, where: Path): Node | undefined => {
    const at = artifactPlace(file, where)
    nodes += 1
    if (where.length > bounds.artifactDepth || nodes > bounds.artifactNodes) {
      isExcessive = true
      return undefined
    }
    if (here === null || typeof here === "string" || typeof here === "boolean") {
      return { kind: "scalar", value: here, source: undefined, at }
    }
    if (typeof here === "number" && Number.isFinite(here)) return { kind: "scalar", value: here, source: undefined, at }
    if (Array.isArray(here)) {
      const items: Array<Node> = []
      for (const [index, item] of here.entries()) {
        const child = visit(item, [...where, index])
        if (child === undefined) return undefined
        items.push(child)
      }
      return { kind: "list", items, at }
    }
    if (typeof here !== "object" || here instanceof Date) {
      report("artifact_invalid", at, `${typeof here} is not a JSON value`)
      return undefined
    }
    const entries: Array<Entry> = []
    for (const [key, member] of Object.entries(here)) {
      const child = key === "__proto__" ? undefined : visit(member, [...where, key])
      if (key === "__proto__") report("artifact_invalid", at, "`__proto__` can't be a key")
      if (child === undefined) return undefined
      entries.push({ key, at: artifactPlace(file, [...where, key]), value: child })
    }
    return { kind: "map", entries, at }
  }
  const root = visit(value, path)
  if (isExcessive) report("artifact_invalid", artifactPlace(file, path), "it is too deep or too large")
  return root
}
