/** What a request says beside its body: query, bearer, the place in a stream, the form of answer it wants. */
import { fail } from "../../../runtime/errors.ts"
import type { Incoming } from "./Request.ts"

/** A repeated name is a mistake like any other: the last one would win in silence. */
export const queryOf = (query: string): Readonly<Record<string, string | ReadonlyArray<string>>> => {
  if (query === "") return none
  const all = new URLSearchParams(query)
  const result: Record<string, string | ReadonlyArray<string>> = {}
  for (const name of new Set(all.keys())) {
    const values = all.getAll(name)
    result[name] = values.length === 1 ? (values[0] ?? "") : values
  }
  return result
}
const none = {}

export const bearerOf = (authorization: string | undefined): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1]

/** The sequence after which a stream begins. */
export const placeOf = (text: string | undefined): number => {
  if (text === undefined) return 0
  if (/^(0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw fail("invalid_request", "Last-Event-ID is the id of the last event that was handled.", {
    errors: [{ path: "Last-Event-ID", message: "Expected a whole number of 0 or more" }],
  })
}

export const wantsStream = (incoming: Incoming): boolean =>
  incoming.header("accept")?.toLowerCase().includes("text/event-stream") === true
