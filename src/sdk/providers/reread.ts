/**
 * A response whose body was read, or is to be another one, as if it were fresh. The object stays the one that came (its `url`,
 * `type` and headers cannot be made), and what hands out the body is its own.
 */

/** `make` makes a fresh response with the same status and headers, at most once. */
export const withFreshBody = (response: Response, make: () => Response): Response => {
  let made: Response | undefined
  const fresh = () => {
    made ??= make()
    return made
  }
  return define(response, fresh, { json: () => fresh().json(), text: () => fresh().text() })
}

/**
 * The answer's JSON, parsed already, is handed out as it is the first time: clients ask for it once, and a second parse and a
 * response made for it would cost more than all the rest.
 */
export const withJson = (response: Response, body: () => string, json: unknown): Response => {
  let made: Response | undefined
  let isGiven = false
  const fresh = () => {
    if (isGiven) throw new TypeError("Body is unusable: Body has already been read")
    made ??= copyOf(response, body())
    return made
  }
  const json_ = async (): Promise<unknown> => {
    if (made !== undefined || isGiven) return fresh().json()
    isGiven = true
    return json
  }
  return define(response, fresh, { json: json_, text: async () => fresh().text() }, () => isGiven)
}

/** The response with these headers more. */
export const withHeaders = (response: Response, added: Readonly<Record<string, string>>): void => {
  const entries = Object.entries(added)
  if (entries.length === 0) return
  // Those of a response that came from the network cannot be changed.
  const headers = new Headers(response.headers)
  for (const [name, value] of entries) headers.set(name, value)
  Object.defineProperty(response, "headers", { value: headers, configurable: true })
}

/** The same status and headers, with another body. */
export const copyOf = (response: Response, body: string | ReadableStream<Uint8Array>): Response => {
  const { status, statusText, headers } = response
  const hasNoBody = status === 204 || status === 205 || status === 304
  return new Response(hasNoBody ? null : body, { status, statusText, headers })
}

const define = (
  response: Response,
  fresh: () => Response,
  read: { readonly json: () => Promise<unknown>; readonly text: () => Promise<string> },
  isGiven: () => boolean = () => false,
): Response =>
  Object.defineProperties(response, {
    json: { value: read.json, configurable: true },
    text: { value: read.text, configurable: true },
    arrayBuffer: { value: async () => fresh().arrayBuffer(), configurable: true },
    blob: { value: async () => fresh().blob(), configurable: true },
    bytes: { value: async () => new Uint8Array(await fresh().arrayBuffer()), configurable: true },
    formData: { value: async () => fresh().formData(), configurable: true },
    clone: { value: () => fresh().clone(), configurable: true },
    body: { get: () => (isGiven() ? null : fresh().body), configurable: true },
    bodyUsed: { get: () => isGiven() || fresh().bodyUsed, configurable: true },
  })
