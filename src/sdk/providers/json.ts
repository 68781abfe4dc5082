/** Reading a provider's JSON by its structure: what is not of the expected shape is nothing, never an exception. */

export interface JsonObject {
  [key: string]: unknown
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

export const objects = (value: unknown): ReadonlyArray<JsonObject> => list(value).filter(isObject)

export const object = (value: unknown): JsonObject => (isObject(value) ? value : {})

export const text = (value: unknown): string => (typeof value === "string" ? value : "")

export const count = (value: unknown): number => (typeof value === "number" && value > 0 ? value : 0)

export const positive = (value: unknown): number | undefined =>
  typeof value === "number" && value > 0 ? value : undefined

/** `JSON.stringify`, where what has no JSON is null. */
export const jsonText = (value: unknown): string => JSON.stringify(value) ?? "null"

/** Undefined where the text is no JSON, or JSON and no object. */
export const parseObject = (source: string): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(source)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A copy of the object without these keys. */
export const without = (value: JsonObject, ...keys: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)))

/** The text of a content that is a string, or parts of which some are text. */
export const contentText = (content: unknown): string =>
  typeof content === "string"
    ? content
    : objects(content)
        .map((part) => text(part.text))
        .join("")
