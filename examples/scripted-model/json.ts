/** The little that the three protocols need of JSON. */

export type JsonObject = { readonly [key: string]: unknown }

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The objects of a list; of anything else, none. */
export const objectsIn = (value: unknown): ReadonlyArray<JsonObject> =>
  Array.isArray(value) ? value.filter(isJsonObject) : []

export const stringOf = (value: unknown): string => (typeof value === "string" ? value : "")

/** The text of a message's content, which is a text or a list of parts. */
export const contentText = (content: unknown): string =>
  typeof content === "string" ? content : objectsIn(content).map(partText).join("")

const partText = ({ text, content }: JsonObject): string =>
  content === undefined ? stringOf(text) : contentText(content)

/** A text in pieces, as a model streams it. Together they are the text. */
export const pieces = (text: string): ReadonlyArray<string> => text.match(/\s*\S+\s*?|\s+$/g) ?? []

/** One event of a stream that names its events. */
export const namedEvent = (data: JsonObject): string =>
  `event: ${stringOf(data.type)}\ndata: ${JSON.stringify(data)}\n\n`
