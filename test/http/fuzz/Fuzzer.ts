/**
 * Requests made from the OpenAPI document, by a seed: right ones, and ones with something wrong in every part. What may come back is
 * said by the document too: no 5xx but 503, no hang, and an answer that says what was wrong.
 */
import { Random } from "../../crash/Random.ts"
import { type Document, isObject, type Operation } from "./document.ts"
import { type Known, Values } from "./values.ts"

export interface FuzzRequest {
  readonly operation: Operation
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** As it is sent; null without one. */
  readonly body: string | Uint8Array | null
  /** What is wrong with it, if anything. */
  readonly flaw: Flaw
}
export interface FuzzAnswer {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

const flaws = {
  none: 40,
  spoiltBody: 20,
  notJson: 4,
  brokenUtf8: 3,
  deep: 2,
  huge: 1,
  mediaType: 3,
  method: 4,
  path: 4,
  parameter: 6,
  query: 5,
  header: 4,
  key: 2,
  token: 3,
} as const
type Flaw = keyof typeof flaws

export interface Keyed {
  /** An API key with all scopes. */
  readonly key: string
  /** Tokens of sessions. */
  readonly tokens: () => ReadonlyArray<string>
}

export class Fuzzer {
  readonly #random: Random
  readonly #document: Document
  readonly #values: Values
  readonly #keyed: Keyed

  constructor(seed: number, document: Document, known: () => Known, keyed: Keyed) {
    this.#random = new Random(seed)
    this.#document = document
    this.#values = new Values(this.#random, document, known)
    this.#keyed = keyed
  }

  next(): FuzzRequest {
    const random = this.#random
    const flaw = random.weighted(flaws)
    const operation = random.pick(this.#document.operations)
    if (operation === undefined) throw new Error("the document has no operation")
    const body = this.#body(operation, flaw)
    return {
      operation,
      method:
        flaw === "method"
          ? (random.pick(["PUT", "DELETE", "PATCH", "GET", "POST", "OPTIONS"]) ?? "PUT")
          : operation.method,
      path: this.#path(operation, flaw),
      headers: this.#headers(operation, flaw, body !== null),
      body: operation.method === "GET" ? null : body,
      flaw,
    }
  }

  #path(operation: Operation, flaw: Flaw): string {
    const random = this.#random
    let path = operation.path
    const query = new URLSearchParams()
    for (const { name, in: place, schema } of operation.parameters) {
      const wrong = flaw === "parameter" ? this.#values.any() : undefined
      const value = String(wrong ?? this.#values.fitting(schema))
      if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(Buffer.from(value).toString()))
      else if (place === "query" && random.chance(flaw === "query" ? 90 : 30))
        query.append(name, flaw === "query" ? String(this.#values.any()) : name === "wait" ? "1" : value)
    }
    if (flaw === "query" && random.chance(50)) query.append(random.pick(["limit", "after", "other"]) ?? "x", "1")
    if (flaw === "path")
      path = random.pick([`${path}/`, `${path}/x`, path.slice(0, -1), `//${path}`, `${path}%zz`, "/api"]) ?? "/"
    const text = query.toString()
    return text === "" ? path : `${path}?${text}`
  }

  #body({ body }: Operation, flaw: Flaw): string | Uint8Array | null {
    const random = this.#random
    if (body === undefined || (flaw === "none" && random.chance(5))) return null
    const value = this.#values.fitting(body)
    const text = JSON.stringify(value)
    switch (flaw) {
      case "spoiltBody":
        return JSON.stringify(this.#values.spoilt(value)) ?? "1"
      case "notJson":
        return (
          random.pick([
            text.slice(0, -1),
            `${text}}`,
            "",
            "nul",
            "{'a':1}",
            '{"a":1,}',
            "\u0000",
            "[1,2",
            '"\\ud800"',
          ]) ?? "{"
        )
      case "brokenUtf8": {
        const bytes = Buffer.from(`${text} `)
        bytes[random.below(bytes.length)] = 0x80 + random.below(0x80)
        return bytes
      }
      case "deep": {
        const levels = random.pick([100, 200, 5000, 100_000]) ?? 100
        return `{"result":${"[".repeat(levels)}${"]".repeat(levels)}}`
      }
      case "huge":
        return JSON.stringify({ result: "x".repeat(random.pick([1_100_000, 3_000_000]) ?? 0) })
      default:
        return text
    }
  }

  #headers(operation: Operation, flaw: Flaw, hasBody: boolean): Readonly<Record<string, string>> {
    const random = this.#random
    const headers: Record<string, string> = { authorization: `Bearer ${this.#keyed.key}` }
    if (hasBody) headers["content-type"] = "application/json"
    if (random.chance(20)) headers["idempotency-key"] = `k${random.below(30)}`
    if (random.chance(10)) headers["handrail-session"] = random.pick(this.#keyed.tokens()) ?? "hrs_none"
    if (flaw === "mediaType")
      headers["content-type"] =
        random.pick(["text/plain", "application/xml", "", "application/json; charset=utf-16"]) ?? ""
    if (flaw === "header")
      Object.assign(
        headers,
        random.pick([
          { "idempotency-key": "k".repeat(300) },
          { "last-event-id": "x" },
          { accept: "text/html" },
          { traceparent: "not one" },
          { "idempotency-key": "" },
        ]),
      )
    if (flaw === "key")
      headers.authorization = random.pick(["Bearer x", "Basic abc", "", `Bearer ${this.#keyed.key}0`, "Bearer"]) ?? ""
    if (flaw === "token") headers["handrail-session"] = random.pick(["hrs_x", "", `hrs_${"A".repeat(43)}.s1`]) ?? ""
    if (operation.id === "events" && flaw === "none" && random.chance(20))
      headers.accept = "application/json, text/html"
    return headers
  }
}

const isOwn = new Set(["type", "title", "status", "code", "detail", "retryable"])

/** What is wrong with an answer; undefined where it is as it should be. */
export const complaint = (request: FuzzRequest, { status, contentType, text }: FuzzAnswer): string | undefined => {
  const { operation, flaw } = request
  if (status >= 500 && status !== 503) return `status ${status}`
  if (/\bat .+:\d+:\d+|node_modules|SQLITE_|select .+ from /i.test(text)) return "it shows the inside"
  if (status < 400) return successComplaint(request, status, contentType, text)
  if (!contentType.startsWith("application/problem+json")) return `the problem is ${contentType}`
  const problem: unknown = JSON.parse(text)
  if (!isObject(problem)) return "the problem is no object"
  const { code, detail, errors } = problem
  if (problem.status !== status || typeof code !== "string") return "status and code do not fit"
  if (typeof detail !== "string" || detail.length < 8) return "it does not say what was wrong"
  // Every mistake by its path; a rule that a request broke by what it names.
  const facts = Object.keys(problem).filter((name) => !isOwn.has(name))
  if (code === "invalid_request" && !(Array.isArray(errors) && errors.length > 0) && facts.length === 0)
    return "it does not say which part was wrong"
  if (flaw === "method" || flaw === "path" || flaw === "parameter") return undefined
  const documented = operation.responses.get(status)
  if (documented === undefined) return `status ${status} (${code}) is not documented for ${operation.id}`
  return documented.has(code) ? undefined : `${code} is not documented for ${operation.id}`
}

const successComplaint = (
  { operation, flaw }: FuzzRequest,
  status: number,
  type: string,
  text: string,
): string | undefined => {
  if (flaw === "notJson" || flaw === "brokenUtf8" || flaw === "key" || flaw === "token") {
    // Where no body is read, or no token is looked at, there was nothing wrong.
    if (flaw === "key" || (flaw === "brokenUtf8" && operation.body !== undefined)) return `${flaw} was accepted`
  }
  if (flaw === "method" || flaw === "path" || flaw === "parameter") return undefined
  if (!operation.responses.has(status)) return `status ${status} is not documented for ${operation.id}`
  if (type.startsWith("application/json")) JSON.parse(text)
  return undefined
}
