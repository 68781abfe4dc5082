/**
 * YAML text to a tree with places, or diagnostics.
 *
 * Bounded before it recurses: bytes, tokens and nesting are measured on the lexer's output (see bounds.ts for what happens
 * otherwise), aliases and the nodes that they multiply while the tree is built. Keys are compared here, not in the yaml
 * package, whose comparison is quadratic in the keys of a map.
 */
import { Composer, CST, Lexer, LineCounter, Parser, isAlias, isMap, isScalar, isSeq } from "yaml"
import type { Alias, Document, Pair, Scalar } from "yaml"
import { bounds } from "./bounds.ts"
import type { Locate, Report } from "./Diagnostic.ts"
import type { Entry, MapNode, Node } from "./tree.ts"

/** The root map of the text's only document; undefined when there is none to read, which has been reported. */
export const parseYaml = (file: string, text: string, report: Report): MapNode | undefined => {
  const source = text.startsWith("\ufeff") ? text.slice(1) : text
  const lines = new LineCounter()
  const place = placesOf(file, source, lines)
  const start = place(0)
  if (new TextEncoder().encode(source).length > bounds.fileBytes) {
    report("file_too_large", start, `a file may have at most ${bounds.fileBytes} bytes`)
    return undefined
  }
  const excess = measure(source)
  if (excess !== undefined) {
    // The lines up to here are not counted yet, since nothing was parsed.
    countLines(source, lines)
    report(excess.code, place(excess.offset), excess.message)
    return undefined
  }
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: "silent" })
  const parsed = new Parser(lines.addNewLine).parse(source)
  let first: Document.Parsed | undefined
  for (const document of composer.compose(parsed, true, source.length)) {
    if (first !== undefined) {
      report("multiple_documents", place(document.range[0]), "a file holds one YAML document; this is a second one")
      break
    }
    first = document
  }
  return first === undefined ? undefined : rootOf(first, place, report)
}

const rootOf = (document: Document.Parsed, place: (offset: number) => Locate, report: Report): MapNode | undefined => {
  for (const problem of [...document.errors, ...document.warnings]) {
    report("yaml_syntax", place(problem.pos[0]), problem.message)
  }
  // What a broken text seems to say is not worth a second message.
  if (document.errors.length > 0) return undefined
  const root = treeOf(document, place, report)
  if (root?.kind === "map") return root
  if (root !== undefined) report("root_not_map", root.at, "the file must hold a map of keys to values")
  return undefined
}

/** A function from offsets to places. Lines end before `\r\n` as well. */
const placesOf = (file: string, source: string, lines: LineCounter) => (offset: number): Locate => () => {
  const { line, col } = lines.linePos(offset)
  const number = Math.max(1, line)
  const from = lines.lineStarts[number - 1] ?? 0
  const newline = source.indexOf("\n", from)
  const excerpt = source.slice(from, Math.min(newline === -1 ? source.length : newline, from + bounds.excerptChars))
  return { file, line: number, column: Math.max(1, line === 0 ? offset + 1 : col), excerpt: excerpt.replace(/\r$/, "") }
}

const countLines = (source: string, lines: LineCounter): void => {
  lines.addNewLine(0)
  for (let at = source.indexOf("\n"); at !== -1; at = source.indexOf("\n", at + 1)) lines.addNewLine(at + 1)
}

interface Excess {
  readonly code: "file_too_large" | "too_deep"
  readonly offset: number
  readonly message: string
}

/** What of the text is too much to compose, if anything. */
const measure = (source: string): Excess | undefined => {
  let tokens = 0
  let offset = 0
  let flowDepth = 0
  let indicators = 0
  let lineStart = true
  let isScalarText = false
  const tooDeep = (): Excess => ({ code: "too_deep", offset, message: "nested too deeply" })
  for (const token of new Lexer().lex(source)) {
    tokens += 1
    if (tokens > bounds.tokens) {
      return { code: "file_too_large", offset, message: `a file may have at most ${bounds.tokens} tokens` }
    }
    const type: string | null = isScalarText ? "scalar-text" : CST.tokenType(token)
    isScalarText = type === "scalar"
    if (type === "flow-map-start" || type === "flow-seq-start") flowDepth += 1
    else if (type === "flow-map-end" || type === "flow-seq-end") flowDepth = Math.max(0, flowDepth - 1)
    else if (type === "seq-item-ind" || type === "explicit-key-ind" || type === "map-value-ind") indicators += flowDepth === 0 ? 1 : 0
    else if (type === "newline") indicators = 0
    if (type === "space" && lineStart && token.length > bounds.indentColumns) return tooDeep()
    if (flowDepth > bounds.depth || indicators > bounds.indicatorsPerLine) return tooDeep()
    lineStart = type === "newline"
    // The lexer's own marks stand for no text.
    if (type !== "scalar" && type !== "doc-mode" && type !== "flow-error-end") offset += token.length
  }
  return undefined
}

/** The document as a tree: aliases replaced by what they name, keys made unique, values made JSON. */
const treeOf = (document: Document.Parsed, place: (offset: number) => Locate, report: Report): Node | undefined => {
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
      ? scalar(yaml, at)
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
      if (!isExpanded) report("too_many_aliases", at, `at most ${bounds.aliases} aliases, and ${bounds.nodes} values once they are replaced`)
      isExpanded = true
      isBroken = true
      return nothing
    }
    return target.node
  }

  const scalar = (yaml: Scalar, at: Locate): Node => {
    const { value } = yaml
    const source = typeof yaml.source === "string" ? yaml.source : undefined
    if (value === null || typeof value === "string" || typeof value === "boolean") return { kind: "scalar", value, source, at }
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

/** The text of a key. `__proto__` would change an object instead of standing in it. */
const keyText = (node: Node): string | undefined => {
  if (node.kind !== "scalar" || node.value === null || node.value === "__proto__") return undefined
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value))
}

const offsetOf = (yaml: unknown): number | undefined =>
  isScalar(yaml) || isMap(yaml) || isSeq(yaml) || isAlias(yaml) ? yaml.range?.[0] : undefined
