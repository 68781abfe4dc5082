/** Small choices that several have to make: which resources, and a summary that fits the schema of its edge. */
import type { Definition, Edge } from "../../machines/definition.ts"
import type { Json, ResourceRef } from "../../machines/ids.ts"
import type { Chance } from "./Chance.ts"
import { resourceKeys } from "./definitions.ts"

/** At most so many different resources of the definition, perhaps none. */
export const resourceRefs = (
  { definition, chance }: { readonly definition: Definition; readonly chance: Chance },
  most: number,
): ReadonlyArray<ResourceRef> => {
  const chosen = new Map<string, ResourceRef>()
  for (let count = chance.between(1, most); count > 0; count--) {
    const name = chance.pick(definition.resources)?.name
    const key = chance.pick(resourceKeys)
    if (name !== undefined && key !== undefined) chosen.set(`${name} ${key}`, { name, key })
  }
  return [...chosen.values()]
}

export const sampleSummary = (edge: Edge | undefined, chance: Chance): Json =>
  edge?.summarySchema === null || edge === undefined
    ? { task: "work", note: chance.between(0, 2) }
    : sampleOf(edge.summarySchema, chance, 8)

/** A value that fits a plain JSON schema; what it does not know of, it does not do, and the offer is refused. */
const sampleOf = (schema: Json, chance: Chance, depth: number): Json => {
  if (depth === 0) return {}
  const {
    const: constant,
    enum: values,
    type,
    required,
    properties,
    items,
    minimum,
    minItems,
    minLength,
  } = membersOf(schema)
  if (constant !== undefined) return constant
  if (Array.isArray(values)) return chance.pick(values) ?? null
  const number = (value: Json | undefined): number => (typeof value === "number" ? value : 0)
  switch (Array.isArray(type) ? type[0] : type) {
    case "string":
      return "s".repeat(Math.max(1, number(minLength)))
    case "integer":
    case "number":
      return number(minimum) + chance.between(0, 2)
    case "boolean":
      return chance.chance(0.5)
    case "null":
      return null
    case "array":
      return Array.from({ length: number(minItems) }, () => sampleOf(items ?? {}, chance, depth - 1))
    default: {
      const known = membersOf(properties)
      const names = Array.isArray(required) ? required.filter((name) => typeof name === "string") : []
      return Object.fromEntries(
        names.map((name) => [name, sampleOf(known[name] ?? { type: "string" }, chance, depth - 1)]),
      )
    }
  }
}

const membersOf = (value: Json | undefined): Readonly<Record<string, Json>> => (isObject(value) ? { ...value } : {})
const isObject = (value: Json | undefined): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
