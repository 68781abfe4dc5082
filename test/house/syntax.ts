/**
 * The little that the house tests need from a parsed source: nodes with their parents, comments, and lines.
 *
 * A real parser instead of regular expressions, so that a rule cannot be fooled by a string, a comment or a line break,
 * and does not cry wolf over one.
 */
import { parseSync } from "vite"

export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

export interface Visit {
  readonly node: SyntaxNode
  readonly parent: SyntaxNode | undefined
  /** The member of `parent` that holds `node`. */
  readonly key: string
}

export interface Syntax {
  readonly visits: ReadonlyArray<Visit>
  readonly comments: ReadonlyArray<{ readonly value: string; readonly start: number }>
  readonly errors: ReadonlyArray<string>
  readonly lineAt: (offset: number) => number
}

export const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === "object" && value !== null && "type" in value && "start" in value && typeof value.type === "string"

export const nodesIn = (value: unknown): ReadonlyArray<SyntaxNode> =>
  Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []

export const parse = (path: string, text: string): Syntax => {
  const parsed = parseSync(path, text)
  const visits: Array<Visit> = []
  const walk = (node: SyntaxNode, parent: SyntaxNode | undefined, key: string): void => {
    visits.push({ node, parent, key })
    for (const [name, value] of Object.entries(node)) for (const child of nodesIn(value)) walk(child, node, name)
  }
  for (const node of nodesIn(parsed.program)) walk(node, undefined, "")
  return {
    visits,
    comments: parsed.comments,
    errors: parsed.errors.map((error) => error.message),
    lineAt: (offset) => text.slice(0, offset).split("\n").length,
  }
}

/** The name of an identifier, or the text of a string literal; what a specifier, a key or a module name holds. */
export const nameOf = (node: unknown): string | undefined => {
  if (!isNode(node)) return undefined
  const name = node.type === "Literal" ? node.value : node.name
  return typeof name === "string" ? name : undefined
}

export interface ModuleUse {
  /** As written: `./a.ts`, `effect`, `node:fs`. */
  readonly specifier: string
  /** Names of the other module that are used; `*` for all of it, none for an import for its effects. */
  readonly names: ReadonlyArray<string>
  readonly offset: number
  /** Set when the module is passed on: by which name each of `names` leaves this file. */
  readonly passedOnAs: ReadonlyArray<string> | undefined
}

/** Every way in which a module can name another: import, import type, export from, `import()`, `require()`. */
export const moduleUses = ({ visits }: Syntax): ReadonlyArray<ModuleUse> =>
  visits.flatMap(({ node }): ReadonlyArray<ModuleUse> => {
    const specifier = nameOf(node.source ?? nodesIn(node.arguments)[0] ?? node.expression)
    if (specifier === undefined) return []
    const use = (names: ReadonlyArray<string>, passedOnAs?: ReadonlyArray<string>): ReadonlyArray<ModuleUse> => [
      { specifier, names, offset: node.start, passedOnAs },
    ]
    const specifiers = nodesIn(node.specifiers)
    switch (node.type) {
      case "ImportDeclaration":
        return use(specifiers.map((item) => importedName(item)))
      case "ExportNamedDeclaration":
        return use(
          specifiers.map((item) => nameOf(item.local) ?? "*"),
          specifiers.map((item) => nameOf(item.exported) ?? "*"),
        )
      case "ExportAllDeclaration":
        return use(["*"], [nameOf(node.exported) ?? "*"])
      case "ImportExpression":
        return use(["*"])
      case "TSImportType":
        return use([nameOf(node.qualifier) ?? "*"])
      case "TSExternalModuleReference":
        return use(["*"])
      case "CallExpression":
        return nameOf(node.callee) === "require" ? use(["*"]) : []
      default:
        return []
    }
  })

const importedName = (specifier: SyntaxNode): string =>
  specifier.type === "ImportSpecifier"
    ? (nameOf(specifier.imported) ?? "*")
    : specifier.type === "ImportDefaultSpecifier"
      ? "default"
      : "*"
