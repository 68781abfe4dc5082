/**
 * Quick decoders, derived from the schemas once, at load.
 *
 * A schema's own decoder explains every mistake and costs several microseconds, a quarter of what a command costs in all. This
 * one knows the few forms that commands are made of, accepts what it is sure of, and leaves everything else (each mistake, each
 * form that it doesn't know) to the schema. So the schema remains the only rule; a test proves that the two agree.
 */
import { Schema, type SchemaAST } from "effect"

/** The answer of a quick decoder that isn't sure: ask the schema. */
export const unsure: unique symbol = Symbol("unsure")
export type QuickDecoder = (value: unknown) => unknown

export const quickDecoder = (schema: Schema.Constraint): QuickDecoder => derive(schema.ast)

const derive = (ast: SchemaAST.AST): QuickDecoder => {
  const link = ast.encoding?.[0]
  if (link === undefined) return checked(form(ast), ast)
  // A pure transformation of one step, such as money: decode the encoded side, transform, check the decoded side.
  const { transformation } = link
  if (ast.encoding?.length !== 1 || transformation._tag !== "Transformation") return () => unsure
  const step = transformation.decode
  const before = derive(link.to)
  if (step._tag === "Passthrough") return checked(before, ast)
  if (step._tag !== "Transform") return () => unsure
  const transform: (value: unknown) => unknown = step.transform
  const after = checked((value) => value, ast)
  return (value) => {
    const encoded = before(value)
    return encoded === unsure ? unsure : after(transform(encoded))
  }
}

const form = (ast: SchemaAST.AST): QuickDecoder => {
  switch (ast._tag) {
    case "String":
      return (value) => (typeof value === "string" ? value : unsure)
    case "Number":
      return (value) => (typeof value === "number" ? value : unsure)
    case "Boolean":
      return (value) => (typeof value === "boolean" ? value : unsure)
    case "Literal":
      return (value) => (value === ast.literal ? value : unsure)
    case "Unknown":
      return (value) => value
    case "Declaration":
      return isJsonForm(ast) ? (value) => (isJson(value, jsonLevels) ? value : unsure) : () => unsure
    case "Union":
      return union(ast)
    case "Arrays":
      return list(ast)
    case "Objects":
      return struct(ast)
    default:
      return () => unsure
  }
}

const literals = (ast: SchemaAST.Union): QuickDecoder => {
  const values = new Set<unknown>(ast.types.map((type) => (type._tag === "Literal" ? type.literal : unsure)))
  if (values.has(unsure)) return () => unsure
  return (value) => (values.has(value) ? value : unsure)
}

const { ast: jsonForm } = Schema.Json
/** Whatever its annotations are: it is one rule. */
const isJsonForm = (ast: SchemaAST.Declaration): boolean => jsonForm._tag === "Declaration" && ast.run === jsonForm.run
/** Deeper ones, and such as hold themselves, are for the schema to judge. */
const jsonLevels = 64
const isJson = (value: unknown, levels: number): boolean => {
  if (typeof value !== "object" || value === null)
    return value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)
  if (levels === 0) return false
  if (Array.isArray(value)) {
    for (const item of value) if (!isJson(item, levels - 1)) return false
    return true
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  const members = value as Readonly<Record<string, unknown>>
  for (const name of Object.keys(members)) if (!isJson(members[name], levels - 1)) return false
  return true
}

const union = (ast: SchemaAST.Union): QuickDecoder => {
  if (ast.options?.mode === "oneOf" || ast.encodingChecks !== undefined) return () => unsure
  return ast.types.every(isStruct) ? forms(ast.types) : literals(ast)
}

/** Structs that a literal tells apart: the first whose literals fit decides, as those before refuse what has other ones. */
const forms = (types: ReadonlyArray<SchemaAST.Objects>): QuickDecoder => {
  const known = types.map((type) => ({ tags: tagsOf(type), decode: derive(type) }))
  return (value) => {
    if (typeof value !== "object" || value === null) return unsure
    const source = value as Readonly<Record<string, unknown>>
    for (const { tags, decode } of known) {
      if (tags.every(({ name, literal }) => source[name] === literal)) return decode(value)
    }
    return unsure
  }
}
const isStruct = (ast: SchemaAST.AST): ast is SchemaAST.Objects => ast._tag === "Objects" && ast.encoding === undefined
const tagsOf = (struct: SchemaAST.Objects) =>
  struct.propertySignatures.flatMap(({ name, type }) =>
    type._tag === "Literal" && type.encoding === undefined && type.context?.isOptional !== true
      ? [{ name: String(name), literal: type.literal }]
      : [],
  )

const list = (ast: SchemaAST.Arrays): QuickDecoder => {
  const [rest] = ast.rest
  if (rest === undefined || ast.rest.length !== 1 || ast.elements.length > 0) return () => unsure
  const item = derive(rest)
  return (value) => {
    if (!Array.isArray(value)) return unsure
    const decoded: Array<unknown> = []
    for (const one of value) {
      const next = item(one)
      if (next === unsure) return unsure
      decoded.push(next)
    }
    return decoded
  }
}

const struct = (ast: SchemaAST.Objects): QuickDecoder => {
  if (ast.indexSignatures.length > 0) return () => unsure
  const members = ast.propertySignatures.map(({ name, type }) => ({
    name: String(name),
    optional: type.context?.isOptional === true,
    decode: derive(type),
  }))
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return unsure
    const source = value as Readonly<Record<string, unknown>>
    const decoded: Record<string, unknown> = {}
    let known = 0
    for (const { name, optional, decode } of members) {
      const member = source[name]
      if (member === undefined) {
        if (!optional) return unsure
        continue
      }
      const next = decode(member)
      if (next === unsure) return unsure
      decoded[name] = next
      known += 1
    }
    // A member too many, or one that is there as undefined, is for the schema to judge.
    return Object.keys(source).length === known ? decoded : unsure
  }
}

/** The filters of a schema: each says undefined where it has nothing against the value. */
const checked = (decode: QuickDecoder, ast: SchemaAST.AST): QuickDecoder => {
  const checks = ast.checks ?? []
  if (checks.length === 0) return decode
  const filters: Array<SchemaAST.Filter<unknown>> = []
  for (const check of checks) {
    if (check._tag !== "Filter") return () => unsure
    filters.push(check)
  }
  return (value) => {
    const decoded = decode(value)
    if (decoded === unsure) return unsure
    for (const filter of filters) if (filter.run(decoded, ast, options) !== undefined) return unsure
    return decoded
  }
}
const options = {}
