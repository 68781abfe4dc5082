/**
 * Exports that nobody imports: what leaves a file must be wanted by another, or be what the package offers.
 *
 * An entry's exports are wanted, with all that it passes on. A type counts as wanted when its own file mentions it
 * elsewhere: it is then part of the signature of something that is checked itself.
 */
import { posix } from "node:path"
import { moduleUses, nameOf, nodesIn, parse, type Syntax, type SyntaxNode } from "./syntax.ts"
import type { Source } from "./tidy.ts"

interface Module {
  /** Name → line, for what is declared or listed here. */
  readonly exported: ReadonlyMap<string, number>
  /** Leaving name → where it comes from. `*` passes on everything. */
  readonly passedOn: ReadonlyArray<{ readonly name: string; readonly from: string; readonly original: string }>
  readonly imports: ReadonlyArray<{ readonly from: string; readonly name: string }>
  readonly mentionedTypes: ReadonlySet<string>
}

/** `sources` are checked; `users` (tests, benchmarks, examples) only count as importers; `entries` are paths. */
export const unusedExports = (
  sources: ReadonlyArray<Source>,
  users: ReadonlyArray<Source>,
  entries: ReadonlyArray<string>,
): ReadonlyArray<string> => {
  const modules = new Map(sources.map((source) => [source.path, read(source)]))
  const wanted = new Map(sources.map(({ path }) => [path, new Set<string>()]))

  const want = (path: string, name: string): void => {
    const module = modules.get(path)
    const names = wanted.get(path)
    if (module === undefined || names === undefined || names.has(name)) return
    names.add(name)
    for (const next of module.passedOn) {
      if (next.name === "*") want(next.from, name)
      else if (next.name === name || name === "*") want(next.from, next.original)
    }
  }

  for (const path of entries) want(path, "*")
  for (const module of [...modules.values(), ...users.map(read)]) {
    for (const { from, name } of module.imports) want(from, name)
  }
  return [...modules].flatMap(([path, { exported, mentionedTypes }]) => {
    const names = wanted.get(path)
    if (names === undefined || names.has("*")) return []
    return [...exported]
      .filter(([name]) => !names.has(name) && !mentionedTypes.has(name))
      .map(([name, line]) => `${path}:${line}: ${name} is exported, but nobody imports it`)
  })
}

const read = ({ path, text }: Source): Module => {
  const syntax = parse(path, text)
  const uses = moduleUses(syntax).filter(({ specifier }) => specifier.startsWith("."))
  const target = (specifier: string) => posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts")
  return {
    exported: exportedNames(syntax),
    passedOn: uses.flatMap(({ specifier, names, passedOnAs }) =>
      (passedOnAs ?? []).map((name, index) => ({ name, from: target(specifier), original: names[index] ?? "*" })),
    ),
    imports: uses.flatMap(({ specifier, names, passedOnAs }) =>
      passedOnAs === undefined ? names.map((name) => ({ from: target(specifier), name })) : [],
    ),
    mentionedTypes: new Set(
      syntax.visits.flatMap(({ node }) => {
        const name = nameOf(node.type === "TSTypeReference" ? node.typeName : node.expression)
        return (node.type === "TSTypeReference" || node.type === "TSInterfaceHeritage") && name !== undefined
          ? [name]
          : []
      }),
    ),
  }
}

const exportedNames = (syntax: Syntax): ReadonlyMap<string, number> => {
  const names = new Map<string, number>()
  for (const { node } of syntax.visits) {
    if (node.type === "ExportDefaultDeclaration") names.set("default", syntax.lineAt(node.start))
    if (node.type !== "ExportNamedDeclaration") continue
    const listed = nodesIn(node.specifiers).map((item) => nameOf(item.exported))
    for (const name of [...listed, ...declarations(node)]) {
      if (name !== undefined && !names.has(name)) names.set(name, syntax.lineAt(node.start))
    }
  }
  return names
}

const declarations = (exporting: SyntaxNode): ReadonlyArray<string | undefined> =>
  nodesIn(exporting.declaration).flatMap((declaration) =>
    declaration.type === "VariableDeclaration"
      ? nodesIn(declaration.declarations).flatMap(({ id }) => patternNames(id))
      : [nameOf(declaration.id)],
  )

const patternNames = (pattern: unknown): ReadonlyArray<string | undefined> =>
  nodesIn(pattern).flatMap((node) =>
    node.type === "Identifier"
      ? [nameOf(node)]
      : [...nodesIn(node.properties), ...nodesIn(node.elements)].flatMap((item) =>
          patternNames(item.value ?? item.argument ?? item),
        ),
  )
