/**
 * The route table, derived from the definition of the API: what a path means, who may call it, how its parts are decoded.
 *
 * Hot routes are dispatched from here directly: each has a quick decoder and a renamer, both made once from its schemas, and
 * the schema itself is asked only where the quick decoder is not sure, that is to say for mistakes.
 */
import { Context, Result, Schema, SchemaIssue } from "effect"
import { HttpApi, type HttpApiEndpoint } from "effect/http-api"
import { fail, type WorkflowError } from "../../runtime/errors.ts"
import { type QuickDecoder, quickDecoder, unsure } from "../../runtime/quickDecoder.ts"
import { Access, type Rule } from "./api/Access.ts"
import { Api } from "./api/Api.ts"
import { fromWire, toWire } from "./wire/cases.ts"

export interface Route {
  /** The operation's name, such as `propose`. */
  readonly id: string
  readonly method: string
  /** With `:name` for a parameter. */
  readonly path: string
  readonly access: Rule
  readonly status: number
  readonly params: Decode
  readonly query: Decode
  /** Undefined for a route that takes no body. */
  readonly body: Decode | undefined
  /** Whether a request may come without a body. */
  readonly isBodyOptional: boolean
  /** What a handler answers, in the names of the wire. */
  readonly encode: (answer: unknown) => unknown
}

/** What was sent, in the names of the `Client`; throws `invalid_request` with every mistake. */
export type Decode = (value: unknown) => unknown

const strict = { onExcessProperty: "error", errors: "all" } as const
const report = SchemaIssue.makeFormatterStandardSchemaV1()
const mostProblems = 20

const invalid = (what: string, error: Schema.SchemaError): WorkflowError => {
  const errors = report(error.issue)
    .issues.slice(0, mostProblems)
    .map(({ path, message }) => ({
      path: (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join("."),
      message,
    }))
  const list = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ")
  return fail("invalid_request", `The ${what} is not valid. ${list}`, { errors })
}

const decoderOf = (what: string, schema: Schema.Constraint | undefined): Decode => {
  if (schema === undefined) return (value) => value
  const quick: QuickDecoder = quickDecoder(schema)
  const slow = Schema.decodeUnknownResult(schema as Schema.Codec<unknown, unknown>, strict)
  const rename = fromWire(schema)
  return (value) => {
    const known = quick(value)
    if (known !== unsure) return rename(known)
    const decoded = slow(value)
    if (Result.isFailure(decoded)) throw invalid(what, decoded.failure)
    return rename(decoded.success)
  }
}

const payloadOf = (endpoint: HttpApiEndpoint.Top): Schema.Constraint | undefined => {
  for (const { schemas } of endpoint.payload.values()) return schemas[0]
  return undefined
}

type Successes = ReadonlyMap<number, readonly [Schema.Constraint, ...ReadonlyArray<Schema.Constraint>]>

const routeOf = (endpoint: HttpApiEndpoint.Top, annotations: Context.Context<never>, successes: Successes): Route => {
  const access = Context.getOrUndefined(annotations, Access)
  const [success] = successes
  if (success === undefined || access === undefined) throw new Error(`${endpoint.identifier} lacks an answer or a rule`)
  const [status, [answer]] = success
  const payload = payloadOf(endpoint)
  return {
    id: endpoint.identifier,
    method: endpoint.method,
    path: endpoint.path,
    access,
    status,
    params: decoderOf("path", endpoint.params),
    query: decoderOf("query", endpoint.query),
    body: payload === undefined ? undefined : decoderOf("body", payload),
    isBodyOptional: payload !== undefined && quickDecoder(payload)({}) !== unsure,
    encode: toWire(answer) as (answer: unknown) => unknown,
  }
}

export const routes: ReadonlyArray<Route> = (() => {
  const all: Array<Route> = []
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, mergedAnnotations, successes }) =>
      all.push(routeOf(endpoint, mergedAnnotations, successes)),
  })
  return all
})()

interface Node {
  readonly literals: Map<string, Node>
  parameter: { readonly name: string; readonly node: Node } | undefined
  readonly methods: Map<string, Route>
}
const node = (): Node => ({ literals: new Map(), parameter: undefined, methods: new Map() })

const tree: Node = (() => {
  const root = node()
  for (const route of routes) {
    let at = root
    for (const segment of route.path.split("/").slice(1)) {
      if (segment.startsWith(":")) {
        at.parameter ??= { name: segment.slice(1), node: node() }
        if (at.parameter.name !== segment.slice(1)) throw new Error(`${route.path}: two names for one parameter`)
        at = at.parameter.node
      } else {
        const next = at.literals.get(segment) ?? node()
        at.literals.set(segment, next)
        at = next
      }
    }
    at.methods.set(route.method, route)
  }
  return root
})()

export type Match =
  | { readonly _tag: "found"; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly _tag: "otherMethod"; readonly allowed: ReadonlyArray<string> }
  | { readonly _tag: "nowhere" }

const nowhere: Match = { _tag: "nowhere" }

/** HEAD is GET without a body. A segment that does not decode is none of ours. */
export const match = (method: string, path: string): Match => {
  const params: Record<string, string> = {}
  let at: Node | undefined = tree
  for (let from = 1; from <= path.length && at !== undefined; ) {
    const slash = path.indexOf("/", from)
    const end = slash === -1 ? path.length : slash
    const segment = path.slice(from, end)
    const literal: Node | undefined = at.literals.get(segment)
    if (literal !== undefined) at = literal
    else {
      const parameter: Node["parameter"] = at.parameter
      const value: string | undefined = parameter === undefined ? undefined : decoded(segment)
      if (parameter !== undefined && value !== undefined) params[parameter.name] = value
      at = value === undefined ? undefined : parameter?.node
    }
    from = end + 1
  }
  if (at === undefined || at.methods.size === 0) return nowhere
  const route = at.methods.get(method === "HEAD" ? "GET" : method)
  if (route !== undefined) return { _tag: "found", route, params }
  const allowed = [...at.methods.keys()].flatMap((one) => (one === "GET" ? ["GET", "HEAD"] : [one]))
  return { _tag: "otherMethod", allowed }
}

const decoded = (segment: string): string | undefined => {
  if (!segment.includes("%")) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
