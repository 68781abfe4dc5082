/**
 * `Handrail-Fence: name/key=token, …`: fencing tokens on their way over HTTP.
 *
 * The characters of an id leave `/`, `=` and `,` free, so nothing has to be escaped.
 */
import { Schema } from "effect"
import { type Fence, Fence as FenceSchema, Positive, type ResourceRef, resourceKey } from "../../machines/ids.ts"
import { FenceError, StaleFenceError } from "./errors.ts"
import { checkedFences } from "./fence.ts"

export const fenceHeader = "handrail-fence"

/** A `Headers`, or the headers of a `node:http` request. */
export type HeadersLike =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** The header's value. Throws `FenceError` with code `invalid` where there is no fence. */
export const fenceHeaderOf = (fences: ReadonlyArray<Fence>): string =>
  checkedFences(fences)
    .map(({ name, key, token }) => `${name}/${key}=${token}`)
    .join(", ")

/** Longer than any call's resources need. */
const longestHeader = 16_384
const form = /^\s*([^/=,\s]+)\/([^/=,\s]+)=(\d{1,16})\s*$/

/**
 * The fences of these resources, as the request carries them; others that it carries are left aside. Throws `FenceError`:
 * `missing` where one is not there, `invalid` where the header is malformed.
 */
export const readFences = (headers: HeadersLike, resources: ReadonlyArray<ResourceRef>): ReadonlyArray<Fence> => {
  const carried = new Map(parsed(textOf(headers)).map((fence) => [resourceKey(fence), fence]))
  return resources.map((resource) => {
    const fence = carried.get(resourceKey(resource))
    if (fence !== undefined) return fence
    const { name, key } = resource
    throw new FenceError("missing", `The request changes ${name}/${key} and carries no fencing token of it.`)
  })
}

/** What a server answers to a refused write: `application/problem+json`. */
export interface FenceProblem {
  readonly status: 400 | 412 | 428 | 503
  readonly headers: { readonly "content-type": "application/problem+json" }
  /** JSON. */
  readonly body: string
}

/**
 * 412 for a stale token, 428 for a missing one, 400 for a header that is none, 503 for a store that is full or contended.
 * Undefined for any other error: it is not about a fence.
 */
export const fenceProblem = (error: unknown): FenceProblem | undefined => {
  if (error instanceof StaleFenceError) {
    const { fence, newest } = error
    return problem(412, "stale_fence", "A newer fencing token was seen", error.message, { ...fence, newest })
  }
  if (!(error instanceof FenceError)) return undefined
  switch (error.code) {
    case "missing":
      return problem(428, "fence_required", "A fencing token is required", error.message)
    case "invalid":
      return problem(400, "invalid_fence", "The fencing token is not valid", error.message)
    case "full":
    case "contended":
      return problem(503, "fence_unavailable", "The fencing token could not be checked", error.message)
    default:
      return undefined
  }
}

/** The error of a server's answer; undefined where it is no refusal of a stale fence. */
export const staleOf = (value: unknown): StaleFenceError | undefined => {
  const refused = decodeStale(value)
  return refused._tag === "Failure" ? undefined : new StaleFenceError(refused.value, refused.value.newest)
}

const decodeStale = Schema.decodeUnknownExit(
  Schema.Struct({ ...FenceSchema.fields, code: Schema.Literal("stale_fence"), newest: Positive }),
)

const problem = (
  status: FenceProblem["status"],
  code: string,
  title: string,
  detail: string,
  facts: object = {},
): FenceProblem => ({
  status,
  headers: { "content-type": "application/problem+json" },
  body: JSON.stringify({ type: `urn:handrail:problem:${code}`, title, status, code, detail, ...facts }),
})

const parsed = (text: string): ReadonlyArray<Fence> => {
  if (text === "") return []
  if (text.length > longestHeader) throw new FenceError("invalid", "The Handrail-Fence header is too long.")
  return checkedFences(
    text.split(",").map((part) => {
      const [, name = "", key = "", token] = form.exec(part) ?? []
      return { name, key, token: Number(token) }
    }),
  )
}

const textOf = (headers: HeadersLike): string => {
  if (isHeaders(headers)) return headers.get(fenceHeader) ?? ""
  const value = headers[fenceHeader]
  return typeof value === "string" ? value : (value ?? []).join(",")
}

const isHeaders = (headers: HeadersLike): headers is { get(name: string): string | null } =>
  typeof headers.get === "function"
