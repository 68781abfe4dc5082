/**
 * YAML text to a tree with places, or diagnostics.
 *
 * Bounded before it recurses: bytes, tokens and nesting are measured on the lexer's output (see bounds.ts for what happens
 * otherwise), aliases and the nodes that they multiply while the tree is built (yamlTree.ts). Keys are compared there, not in
 * the yaml package, whose comparison is quadratic in the keys of a map.
 */
import { Composer, CST, type Document, Lexer, LineCounter, Parser } from "yaml"
import { bounds } from "./bounds.ts"
import type { Locate, Report } from "./Diagnostic.ts"
import type { MapNode } from "./tree.ts"
import { treeOf } from "./yamlTree.ts"

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
const placesOf =
  (file: string, source: string, lines: LineCounter) =>
  (offset: number): Locate =>
  () => {
    const { line, col } = lines.linePos(offset)
    const number = Math.max(1, line)
    const from = lines.lineStarts[number - 1] ?? 0
    const newline = source.indexOf("\n", from)
    const excerpt = source.slice(from, Math.min(newline === -1 ? source.length : newline, from + bounds.excerptChars))
    return {
      file,
      line: number,
      column: Math.max(1, line === 0 ? offset + 1 : col),
      excerpt: excerpt.replace(/\r$/, ""),
    }
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
    else if (type === "seq-item-ind" || type === "explicit-key-ind" || type === "map-value-ind")
      indicators += flowDepth === 0 ? 1 : 0
    else if (type === "newline") indicators = 0
    if (type === "space" && lineStart && token.length > bounds.indentColumns) return tooDeep()
    if (flowDepth > bounds.depth || indicators > bounds.indicatorsPerLine) return tooDeep()
    lineStart = type === "newline"
    // The lexer's own marks stand for no text.
    if (type !== "scalar" && type !== "doc-mode" && type !== "flow-error-end") offset += token.length
  }
  return undefined
}
