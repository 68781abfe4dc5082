/**
 * Every operation of the API as a client needs it, derived from its definition: the path, how a body is written, how an answer
 * is read.
 *
 * Loaded with the first call: the definition is large, and a program that is embedded never needs it.
 */
import { type Brand, Result, Schema } from "effect"
import { HttpApi, type HttpApiEndpoint, type HttpApiGroup } from "effect/http-api"
import type { JournalEvent } from "../../../machines/events.ts"
import { fail, type WorkflowError } from "../../../runtime/errors.ts"
import { quickDecoder, unsure } from "../../../runtime/quickDecoder.ts"
import { Api } from "../api/Api.ts"
import { WireEvent } from "../api/events.ts"
import { type Camel, fromWire, snakeName, toWire } from "../wire/cases.ts"
import { eventFromWire } from "../wire/eventCases.ts"

type Groups = (typeof Api)["groups"]
type Endpoint = HttpApiGroup.Endpoints<Groups[keyof Groups]>
export type OperationId = Endpoint["identifier"]
type Named<I extends OperationId> = HttpApiEndpoint.WithIdentifier<Endpoint, I>
/** As a caller writes it: ids are plain strings. */
type Plain<T> = [Schema.Json] extends [T]
  ? T
  : T extends string
    ? T extends Brand.Brand<string>
      ? string
      : T
    : T extends ReadonlyArray<infer Item>
      ? ReadonlyArray<Plain<Item>>
      : { readonly [K in keyof T]: Plain<T[K]> }
export type Body<I extends OperationId> = Plain<Camel<Named<I>["~Payload"]["Type"]>>
export type Answer<I extends OperationId> = Camel<Named<I>["~Success"]["Type"]>
/** Members of the path, by their names in it. */
export type Params = Readonly<Record<string, string>>
export type Query = Readonly<Record<string, string | undefined>>

interface Call {
  readonly method: string
  /** With `:name` for a parameter. */
  readonly path: string
  readonly encode: (body: unknown) => unknown
  readonly decode: (answer: unknown) => unknown
}

const report = (what: string, error: Schema.SchemaError): WorkflowError =>
  fail("internal", `The server's ${what} is none that this version knows: ${error.message.slice(0, 500)}`, {})

/** More members than this version knows are no mistake: the API may grow. */
const reader = (what: string, schema: Schema.Constraint): ((value: unknown) => unknown) => {
  const quick = quickDecoder(schema)
  const slow = Schema.decodeUnknownResult(schema as Schema.Codec<unknown, unknown>)
  return (value) => {
    const known = quick(value)
    if (known !== unsure) return known
    const decoded = slow(value)
    if (Result.isFailure(decoded)) throw report(what, decoded.failure)
    return decoded.success
  }
}

const callOf = (endpoint: HttpApiEndpoint.Top, answer: Schema.Constraint): Call => {
  const [payload] = [...endpoint.payload.values()].flatMap(({ schemas }) => schemas)
  const read = reader(`answer to ${endpoint.identifier}`, answer)
  const rename = fromWire(answer) as (value: unknown) => unknown
  return {
    method: endpoint.method,
    path: endpoint.path,
    encode: payload === undefined ? (body) => body : (toWire(payload) as (body: unknown) => unknown),
    decode: (value) => rename(read(value)),
  }
}

const calls: ReadonlyMap<string, Call> = (() => {
  const all = new Map<string, Call>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, successes }) => {
      const [success] = successes
      if (success !== undefined) all.set(endpoint.identifier, callOf(endpoint, success[1][0]))
    },
  })
  return all
})()

const known = (id: OperationId): Call => {
  const call = calls.get(id)
  if (call === undefined) throw new Error(`the API has no operation ${id}`)
  return call
}

export const requestOf = (
  id: OperationId,
  params: Params,
  query: Query,
): { readonly method: string; readonly path: string } => {
  const { method, path } = known(id)
  const filled = path
    .split("/")
    .map((part) => (part.startsWith(":") ? encodeURIComponent(params[part.slice(1)] ?? "") : part))
    .join("/")
  const asked = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(snakeName(name), value)
  return { method, path: asked.size === 0 ? filled : `${filled}?${asked}` }
}

export const bodyOf = (id: OperationId, body: unknown): string => {
  const wire = known(id).encode(body)
  try {
    return JSON.stringify(wire)
  } catch {
    throw fail("invalid_request", "The request holds what JSON can't (a cycle, a bigint).", {
      errors: [{ path: "", message: "Expected a value that JSON can hold" }],
    })
  }
}

export const answerOf = <I extends OperationId>(id: I, value: unknown): Answer<I> =>
  known(id).decode(value) as Answer<I>

const readEvent = reader("event", WireEvent)
export const eventOf = (value: unknown): JournalEvent => eventFromWire(readEvent(value) as WireEvent)
