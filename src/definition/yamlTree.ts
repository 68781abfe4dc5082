/**
 * A composed YAML document as a tree: aliases replaced by what they name, keys made unique, values made JSON.
 *
 * An alias shares the node that it names, so a small text can stand for a huge one; what it stands for is counted and bounded.
 */
import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, type Pair, type Scalar } from "yaml"
import { bounds } from "./bounds.ts"
import type { Locate, Report } from "./Diagnostic.ts"
import type { Entry, Node } from "./tree.ts"

/** The root of the tree; undefined where a part of it can't be read, which has been reported. */
export const treeOf = (
  document: Document.Parsed,
  place: (offset: number) => Locate,
  report: Report,
): Node | undefined => {
  const anchors = new Map<string, { readonly node: Node; readonly size: number } | "open">()
  let aliases = 0
  let isExpanded = false
  let nodes = 0
  // A value that can't be read would be reported again as a wrong one: the file's other checks are left out then.
  let isBroken = false

  const visit = (yaml: unknown, near: number, depth: number): Node => {
    nodes += 1
    const nothing: Node = { kind: "scalar", value: null, source: undefined, at: place(near) }
    if (isAlias(yaml)) return aliased(yaml, nothing)
    if (!isScalar(yaml) && !isMap(yaml) && !isSeq(yaml)) return nothing
    const offset = yaml.range?.[0] ?? near
    const at = place(offset)
    if (depth > bounds.depth) {
      report("too_deep", at, `nested deeper than ${bounds.depth} levels`)
      isBroken = true
      return nothing
    }
    const anchor = yaml.anchor
    if (anchor !== undefined) anchors.set(anchor, "open")
    const before = nodes
    const node: Node = isScalar(yaml)
      ? scalarNode(yaml, at, report)
      : isMap(yaml)
        ? { kind: "map", entries: entriesOf(yaml.items, offset, depth), at }
        : { kind: "list", items: yaml.items.map((item) => visit(item, offset, depth + 1)), at }
    if (anchor !== undefined) anchors.set(anchor, { node, size: nodes - before + 1 })
    return node
  }

  const aliased = (alias: Alias, nothing: Node): Node => {
    const at = alias.range === null || alias.range === undefined ? nothing.at : place(alias.range[0])
    const target = anchors.get(alias.source)
    aliases += 1
    if (target === undefined || target === "open") {
      const why = target === undefined ? "no anchor before it has this name" : "it names the value that it stands in"
      isBroken = true
      report("unknown_alias", at, `the alias \`*${alias.source}\` names nothing: ${why}`)
      return nothing
    }
    nodes += target.size
    if (aliases > bounds.aliases || nodes > bounds.nodes) {
      if (!isExpanded)
        report(
          "too_many_aliases",
          at,
          `at most ${bounds.aliases} aliases, and ${bounds.nodes} values once they are replaced`,
        )
      isExpanded = true
      isBroken = true
      return nothing
    }
    return target.node
  }

  const entriesOf = (pairs: ReadonlyArray<Pair>, near: number, depth: number): ReadonlyArray<Entry> => {
    const entries = new Map<string, Entry>()
    for (const pair of pairs) {
      const keyNode = visit(pair.key, near, depth + 1)
      const key = keyText(keyNode)
      if (key === undefined) {
        report("wrong_type", keyNode.at, "a key must be text")
        continue
      }
      const value = visit(pair.value, offsetOf(pair.key) ?? near, depth + 1)
      if (entries.has(key)) report("duplicate_key", keyNode.at, `the key \`${key}\` stands twice in one map`)
      else entries.set(key, { key, at: keyNode.at, value })
    }
    return [...entries.values()]
  }

  const root = visit(document.contents, document.range[0], 0)
  return isBroken ? undefined : root
}

const scalarNode = (yaml: Scalar, at: Locate, report: Report): Node => {
  const { value } = yaml
  const source = typeof yaml.source === "string" ? yaml.source : undefined
  if (value === null || typeof value === "string" || typeof value === "boolean")
    return { kind: "scalar", value, source, at }
  if (typeof value === "number" && Number.isFinite(value)) {
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      report("out_of_range", at, "an integer may be at most 2^53 - 1; a larger one would be read as another number")
      return { kind: "scalar", value: 0, source, at }
    }
    return { kind: "scalar", value: value + 0, source, at }
  }
  report("wrong_type", at, `${source ?? "this value"} is not a value that JSON can hold`)
  return { kind: "scalar", value: 0, source, at }
}

/** The text of a key. `__proto__` would change an object instead of standing in it. */
const keyText = (node: Node): string | undefined => {
  if (node.kind !== "scalar" || node.value === null || node.value === "__proto__") return undefined
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value))
}

const offsetOf = (yaml: unknown): number | undefined =>
  isScalar(yaml) || isMap(yaml) || isSeq(yaml) || isAlias(yaml) ? yaml.range?.[0] : undefined
