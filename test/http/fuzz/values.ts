/** Values for a JSON schema, and values that spoil one. */
import type { Random } from "../../crash/Random.ts"
import { type Document, isObject, type Json } from "./document.ts"

/** Ids that exist, by the name of their schema: without them everything would be a 404. */
export type Known = ReadonlyMap<string, ReadonlyArray<string>>

const deepest = 6

export class Values {
  readonly #random: Random
  readonly #document: Document
  readonly #known: () => Known

  constructor(random: Random, document: Document, known: () => Known) {
    this.#random = random
    this.#document = document
    this.#known = known
  }

  /** A value that fits the schema, as a rule. */
  fitting(given: Json, depth = 0): unknown {
    const random = this.#random
    const { name, schema } = this.#document.resolve(given)
    const known = name === undefined ? undefined : this.#known().get(name)
    if (known !== undefined && known.length > 0 && random.chance(80)) return random.pick(known)
    const examples = schema.examples
    if (Array.isArray(examples) && random.chance(40)) return structuredClone(random.pick<unknown>(examples))
    if (Array.isArray(schema.enum)) return random.pick<unknown>(schema.enum)
    const union = schema.anyOf ?? schema.oneOf
    if (Array.isArray(union)) return this.fitting(random.pick(union.filter(isObject)) ?? {}, depth)
    if (schema.$ref !== undefined) return this.fitting(schema, depth + 1)
    switch (schema.type) {
      case "string":
        return this.#text(schema)
      case "integer":
        return random.pick([0, 1, 2, 3, 7, 1000, 2 ** 53 - 1, random.below(100)])
      case "number":
        return random.pick([0, 0.000001, 0.1, 1, 12.5, 1e9, random.next()])
      case "boolean":
        return random.chance(50)
      case "null":
        return null
      case "array": {
        const items = isObject(schema.items) ? schema.items : {}
        const count = Math.max(Number(schema.minItems ?? 0), random.below(4))
        return Array.from({ length: count }, () => this.fitting(items, depth + 1))
      }
      case "object":
        return this.#object(schema, depth)
      default:
        return this.any(depth)
    }
  }

  /** Any JSON. */
  any(depth = 0): unknown {
    const random = this.#random
    if (depth >= deepest) return null
    switch (random.below(8)) {
      case 0:
        return null
      case 1:
        return random.chance(50)
      case 2:
        return random.pick([0, -1, 1.5, 1e308, -1e-308, 2 ** 53, Number.MIN_SAFE_INTEGER])
      case 3:
        return random.pick(oddTexts)
      case 4:
        return Array.from({ length: random.below(4) }, () => this.any(depth + 1))
      case 5:
        return { __proto__x: 1, constructor: this.any(depth + 1), "": this.any(depth + 1) }
      case 6:
        return "x".repeat(random.below(3000))
      default:
        return { key: this.any(depth + 1) }
    }
  }

  /** A copy with one thing wrong with it somewhere. */
  spoilt(value: unknown): unknown {
    const random = this.#random
    if (Array.isArray(value) && value.length > 0 && random.chance(70)) {
      const copy = [...value]
      copy[random.below(copy.length)] = this.spoilt(random.pick(copy))
      return copy
    }
    if (isObject(value) && random.chance(85)) {
      const names = Object.keys(value)
      const name = random.pick(names)
      if (name === undefined || random.chance(15))
        return { ...value, [random.pick(["extra", "toString", "__proto__"]) ?? ""]: 1 }
      if (random.chance(25)) return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
      return { ...value, [name]: this.spoilt(value[name]) }
    }
    return this.any()
  }

  #text(schema: Json): string {
    const random = this.#random
    if (typeof schema.pattern === "string")
      return random.pick(["a", "role-1", "x.y:z_0", "7", "0", `n${random.below(50)}`, "a".repeat(128)]) ?? "a"
    const least = Number(schema.minLength ?? 0)
    const most = Number(schema.maxLength ?? 40)
    return "abc def ".repeat(6).slice(0, Math.max(least, random.below(Math.min(most, 48) + 1)))
  }

  #object(schema: Json, depth: number): Json {
    const random = this.#random
    const properties = isObject(schema.properties) ? schema.properties : {}
    const required = new Set(Array.isArray(schema.required) ? schema.required : [])
    const result: Record<string, unknown> = {}
    for (const [name, property] of Object.entries(properties))
      if (isObject(property) && (required.has(name) || random.chance(depth > 3 ? 10 : 40)))
        result[name] = this.fitting(property, depth + 1)
    if (isObject(schema.additionalProperties) && random.chance(50))
      result[`k${random.below(3)}`] = this.fitting(schema.additionalProperties, depth + 1)
    return result
  }
}

const oddTexts = [
  "",
  " ",
  "\u0000",
  "\ud800",
  "é",
  "💥",
  "null",
  "../../etc/passwd",
  "'; drop table journal; --",
  "%s%n",
  "\r\n",
  "-a",
]
