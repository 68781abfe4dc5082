/**
 * Between the wire and the `Client`: snake_case there, camelCase here; both directions derived from the schemas of the API.
 *
 * Only what a schema names is renamed. JSON that a caller sent (summaries, arguments, results) and the keys of records (roles)
 * pass as they are. Values are trusted: what came from outside was decoded before, what goes out was made here.
 */
import { type Schema, SchemaAST } from "effect"
import { fromMicros, toMicros } from "../../../machines/ids.ts"
import { inMicros } from "../api/events.ts"

type CamelName<S extends string> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<CamelName<B>>}` : S
/** A type of the wire in the names of the `Client`. */
export type Camel<T> = [Schema.Json] extends [T]
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends ReadonlyArray<infer Item>
      ? ReadonlyArray<Camel<Item>>
      : { readonly [K in keyof T as K extends string ? CamelName<K> : K]: Camel<T[K]> }

export const camelName = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
export const snakeName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

type Convert = (value: unknown) => unknown
type Direction = "in" | "out"

/** What was decoded from the wire, in the names of the `Client`. */
export const fromWire = <S extends Schema.Constraint>(schema: S): ((value: S["Type"]) => Camel<S["Type"]>) =>
  // The shape of the result follows from the schema, which the compiler can't see.
  (derive(schema.ast, "in") ?? same) as (value: S["Type"]) => Camel<S["Type"]>

/** An answer of the `Client`, in the names of the wire. A null becomes absent where the wire leaves the member out. */
export const toWire = <S extends Schema.Constraint>(schema: S): ((value: Camel<S["Type"]>) => S["Type"]) =>
  (derive(schema.ast, "out") ?? same) as (value: Camel<S["Type"]>) => S["Type"]

const isInMicros = SchemaAST.resolveAt<boolean>(inMicros)
const same: Convert = (value) => value

/** Undefined where nothing has to change. */
const derive = (ast: SchemaAST.AST, direction: Direction): Convert | undefined => {
  if (isInMicros(ast) === true) return money(direction)
  switch (ast._tag) {
    case "Objects":
      return ast.indexSignatures.length > 0 && ast.propertySignatures.length === 0
        ? record(ast, direction)
        : struct(ast, direction)
    case "Arrays": {
      const [rest] = ast.rest
      const item = rest === undefined ? undefined : derive(rest, direction)
      return item === undefined ? undefined : (value) => (Array.isArray(value) ? value.map(item) : value)
    }
    case "Union":
      return union(ast, direction)
    default:
      return undefined
  }
}

const money =
  (direction: Direction): Convert =>
  (value) =>
    typeof value !== "number" ? value : direction === "in" ? toMicros(value) : fromMicros(value)

const record = (ast: SchemaAST.Objects, direction: Direction): Convert | undefined => {
  const [signature] = ast.indexSignatures
  const convert = signature === undefined ? undefined : derive(signature.type, direction)
  if (convert === undefined) return undefined
  return (value) => Object.fromEntries(Object.entries(value as object).map(([key, member]) => [key, convert(member)]))
}

const struct = (ast: SchemaAST.Objects, direction: Direction): Convert | undefined => {
  const members = ast.propertySignatures.map(({ name, type }) => {
    const wire = String(name)
    const camel = camelName(wire)
    return {
      from: direction === "in" ? wire : camel,
      to: direction === "in" ? camel : wire,
      convert: derive(type, direction),
      leaveOut: direction === "out" && type.context?.isOptional === true && !admitsNull(type),
    }
  })
  if (members.every(({ from, to, convert, leaveOut }) => from === to && convert === undefined && !leaveOut))
    return undefined
  return (value) => {
    const source = value as Readonly<Record<string, unknown>>
    const result: Record<string, unknown> = {}
    for (const { from, to, convert, leaveOut } of members) {
      const member = source[from]
      if (member === undefined || (leaveOut && member === null)) continue
      result[to] = convert === undefined ? member : convert(member)
    }
    return result
  }
}

/** An object goes by the first form whose literals and required members it has; everything else passes. */
const union = (ast: SchemaAST.Union, direction: Direction): Convert | undefined => {
  const forms = ast.types.map((type) => ({ type, convert: derive(type, direction) }))
  if (forms.every(({ convert }) => convert === undefined)) return undefined
  return (value) => {
    if (typeof value !== "object" || value === null) return value
    const form = forms.find(({ type }) => fits(type, value as Readonly<Record<string, unknown>>, direction))
    return form?.convert === undefined ? value : form.convert(value)
  }
}

const fits = (ast: SchemaAST.AST, value: Readonly<Record<string, unknown>>, direction: Direction): boolean =>
  ast._tag === "Objects" &&
  ast.propertySignatures.every(({ name, type }) => {
    const member = value[direction === "in" ? String(name) : camelName(String(name))]
    if (type._tag === "Literal") return member === type.literal
    return member !== undefined || type.context?.isOptional === true
  })

const admitsNull = (ast: SchemaAST.AST): boolean =>
  ast._tag === "Null" ||
  ast._tag === "Unknown" ||
  ast._tag === "Suspend" ||
  ast._tag === "Declaration" ||
  (ast._tag === "Union" && ast.types.some(admitsNull))
