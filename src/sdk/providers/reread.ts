/**
 * A response whose body was read, or is to be another one, as if it were fresh. The object stays the one that came (its `url`,
 * `type` and headers cannot be made); a prototype of its own hands out the body.
 *
 * Making a new response for every answer would cost more than all the rest, and so would a property on it for each method.
 */

/** `make` makes a fresh response with the same status and headers, at most once. */
export const withFreshBody = (response: Response, make: () => Response): Response => withBody(response, new Body(make))

/** The answer's JSON, parsed already, is handed out as it is the first time. `source` is its text for all other ways to read. */
export const withJson = (response: Response, source: () => string, json: unknown): Response =>
  withBody(response, new ParsedBody(() => copyOf(response, source()), json))

/** The response with these headers more. */
export const withHeaders = (response: Response, added: Readonly<Record<string, string>>): void => {
  const names = Object.keys(added)
  if (names.length === 0) return
  // Those of a response that came from the network cannot be changed.
  const headers = new Headers(response.headers)
  for (const name of names) headers.set(name, added[name] ?? "")
  Object.defineProperty(response, "headers", { value: headers, configurable: true })
}

/** The same status and headers, with another body. */
export const copyOf = (response: Response, body: string | ReadableStream<Uint8Array>): Response => {
  const { status, statusText, headers } = response
  const hasNoBody = status === 204 || status === 205 || status === 304
  return new Response(hasNoBody ? null : body, { status, statusText, headers })
}

class Body {
  readonly #make: () => Response
  #made: Response | undefined

  constructor(make: () => Response) {
    this.#make = make
  }

  get isMade(): boolean {
    return this.#made !== undefined
  }

  get isUsed(): boolean {
    return this.#made?.bodyUsed === true
  }

  fresh(): Response {
    this.#made ??= this.#make()
    return this.#made
  }

  async json(): Promise<unknown> {
    return this.fresh().json()
  }
}

class ParsedBody extends Body {
  readonly #json: unknown
  #isGiven = false

  constructor(make: () => Response, json: unknown) {
    super(make)
    this.#json = json
  }

  override get isUsed(): boolean {
    return this.#isGiven || super.isUsed
  }

  override fresh(): Response {
    if (this.#isGiven) throw new TypeError("Body is unusable: Body has already been read")
    return super.fresh()
  }

  override async json(): Promise<unknown> {
    if (this.#isGiven || this.isMade) return super.json()
    this.#isGiven = true
    return this.#json
  }
}

const bodies = new WeakMap<Response, Body>()

const bodyOf = (response: Response): Body => {
  const body = bodies.get(response)
  if (body === undefined) throw new TypeError("Illegal invocation")
  return body
}

const reading: PropertyDescriptorMap & ThisType<Response> = {
  json: { value: read((body) => body.json()) },
  text: { value: read(async (body) => body.fresh().text()) },
  arrayBuffer: { value: read(async (body) => body.fresh().arrayBuffer()) },
  bytes: { value: read(async (body) => new Uint8Array(await body.fresh().arrayBuffer())) },
  blob: { value: read(async (body) => body.fresh().blob()) },
  formData: { value: read(async (body) => body.fresh().formData()) },
  clone: { value: read((body) => body.fresh().clone()) },
  body: { get: read((body) => (body.isUsed && !body.isMade ? null : body.fresh().body)) },
  bodyUsed: { get: read((body) => body.isUsed) },
}

function read<A>(how: (body: Body) => A): (this: Response) => A {
  return function (this: Response): A {
    return how(bodyOf(this))
  }
}

/** By the prototype that a response came with: a client's own fetch may answer with a class of its own. */
const prototypes = new WeakMap<object, object>()

const withBody = (response: Response, body: Body): Response => {
  const given: object = Object.getPrototypeOf(response)
  let prototype = prototypes.get(given)
  if (prototype === undefined) {
    const made: object = Object.create(given, reading)
    prototypes.set(given, made)
    prototype = made
  }
  Object.setPrototypeOf(response, prototype)
  bodies.set(response, body)
  return response
}
