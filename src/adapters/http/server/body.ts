/** A request's body as JSON: bounded in bytes and depth, UTF-8, and nothing else. Each mistake is said as what it is. */
import { isUtf8 } from "node:buffer"
import { fail } from "../../../runtime/errors.ts"
import { httpLimits } from "../limits.ts"
import { type Problem, problem } from "../wire/problem.ts"
import type { Incoming } from "./Request.ts"

/** An error that only HTTP can have. */
export class HttpProblem extends Error {
  readonly problem: Problem
  readonly headers: Readonly<Record<string, string>>
  constructor(of: Problem, headers: Readonly<Record<string, string>> = {}) {
    super(of.code)
    this.problem = of
    this.headers = headers
  }
}

const json = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;\s*charset=(?:"?utf-?8"?)\s*)?$/i

/** `{}` for an empty body: an operation that needs more says so. */
export const readJson = async (incoming: Incoming, maxBytes: number): Promise<unknown> => {
  const declared = Number(incoming.header("content-length") ?? 0)
  if (declared > maxBytes) throw tooLarge(declared, maxBytes)
  const bytes = await incoming.body(maxBytes)
  if (bytes === "tooLarge") throw tooLarge(undefined, maxBytes)
  if (bytes.length === 0) return {}
  const type = incoming.header("content-type")
  if (type === undefined || !json.test(type))
    throw new HttpProblem(
      problem("unsupported_media_type", "Send the body as Content-Type: application/json, in UTF-8.", {
        contentType: type?.slice(0, 200) ?? null,
      }),
      { "accept-post": "application/json" },
    )
  if (!isUtf8(bytes)) throw malformed("The body is not UTF-8.")
  const value = parse(
    (bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString("utf8"),
  )
  if (isDeeper(value, httpLimits.jsonDepth))
    throw malformed(`The body is nested more than ${httpLimits.jsonDepth} levels deep.`)
  return value
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed("The body is not JSON.")
  }
}

const isDeeper = (value: unknown, levels: number): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (levels === 0) return true
  if (Array.isArray(value)) {
    for (const item of value) if (isDeeper(item, levels - 1)) return true
    return false
  }
  const members = value as Readonly<Record<string, unknown>>
  for (const name in members) if (isDeeper(members[name], levels - 1)) return true
  return false
}

const malformed = (detail: string) => fail("invalid_request", detail, { errors: [{ path: "", message: detail }] })
const tooLarge = (size: number | undefined, max: number) =>
  fail("payload_too_large", `A body has at most ${max} bytes. Pass large things as artifacts, by reference.`, {
    ...(size === undefined ? {} : { size }),
    max,
  })
