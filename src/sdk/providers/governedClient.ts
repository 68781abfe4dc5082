/**
 * A provider's client under a governor: the same class, options and methods, with another fetch.
 *
 * The client is taken for what it has, not for what it is an instance of: the program may load another copy of the provider's
 * package. Its constructor is wrapped, so every client that is made from the governed one (`withOptions`) is governed too, with
 * whatever fetch it is given, and throws the governor's errors as they are.
 */
import type { Governor } from "../governor/Turn.ts"
import type { Family } from "./endpoints.ts"
import { type Fetch, type Governance, governedFetch } from "./governedFetch.ts"
import { isObject, object } from "./json.ts"
import { Refusals } from "./Refusals.ts"
import { unwrapRunners } from "./runners.ts"
import { Withheld } from "./Withheld.ts"

export interface GovernedClientErrors {
  /** `found` says what was given in place of a client. */
  readonly unsupportedClient: (found: string, supported: string) => Error
  /** A request (`POST https://…`) that can call tools and is not governed, or cannot be. */
  readonly ungovernedEndpoint: (endpoint: string, why: string) => Error
}

export interface GovernedClientOptions {
  readonly errors: GovernedClientErrors
  /** What happens to requests that can call tools and are not governed (`endpoints.ts` lists them): `block`, by default. */
  readonly ungovernedEndpoints?: "block" | "allow"
  /**
   * Streams of chat completions tell their usage only when asked: they are asked, by default, and a caller who did not ask
   * does not see it. Turn it off for a server that knows no `stream_options`: then the usage of its streams is unknown.
   */
  readonly asksForUsage?: boolean
}

const supported =
  "a client of the package openai (OpenAI, AzureOpenAI; 5 to 7) or @anthropic-ai/sdk (Anthropic; 0.60 to 1.x), or of a subclass"

/**
 * A client like this one, under the governor. This one stays as it is, and so does the global fetch.
 *
 * Throws the caller's `unsupportedClient` where it is no such client, or one that cannot be governed.
 */
export const governedClient = <C extends object>(client: C, governor: Governor, options: GovernedClientOptions): C => {
  const { errors } = options
  const family = familyOf(client)
  if (family === undefined) throw errors.unsupportedClient(described(client), supported)
  if (isBoundToItsFetch(client)) {
    throw errors.unsupportedClient("a client with an X.509 identity, which sends by a fetch of its own", supported)
  }
  const governance: Governance = {
    family,
    governor,
    withheld: new Withheld(),
    refusals: new Refusals(),
    blocksUngoverned: options.ungovernedEndpoints !== "allow",
    asksForUsage: options.asksForUsage !== false,
    ungoverned: errors.ungovernedEndpoint,
  }
  const copy = call(client, "withOptions", [lostOptions(client)])
  if (!isAlike(copy, client) || copy === client) {
    throw errors.unsupportedClient(
      `${described(client)} whose withOptions gives no other client of its class`,
      supported,
    )
  }
  return governed(copy, governance, governedClass(client, governance))
}

const isAlike = <C extends object>(copy: unknown, client: C): copy is C => copy instanceof client.constructor

const familyOf = (client: unknown): Family | undefined => {
  if (typeof client !== "object" || client === null) return undefined
  const has = (holder: unknown, ...names: ReadonlyArray<string>) =>
    typeof holder === "object" &&
    holder !== null &&
    names.every((name) => typeof Reflect.get(holder, name) === "function")
  const part = (name: string): unknown => Reflect.get(client, name)
  if (!has(client, "withOptions", "makeStatusError", "fetch", "post")) return undefined
  const chat = part("chat")
  const hasChat = isObject(chat) && has(chat.completions, "create")
  if (hasChat || has(part("responses"), "create")) return "openai"
  return has(part("messages"), "create") ? "anthropic" : undefined
}

/** openai 7 with a client certificate: requests go by a private fetch, which cannot be replaced. */
const isBoundToItsFetch = (client: object): boolean => object(Reflect.get(client, "_options")).x509Transport != null

/** What some versions forget when they copy a client: Azure's version and deployment, and keys that are asked for each time. */
const lostOptions = (client: object): object => {
  const own = (name: string): unknown => Reflect.get(client, name)
  const key = object(own("_options")).apiKey
  const token = own("_azureADTokenProvider")
  const azure =
    typeof own("apiVersion") === "string" ? { apiVersion: own("apiVersion"), deployment: own("deploymentName") } : {}
  return {
    ...azure,
    ...(typeof key === "function" ? { apiKey: key } : {}),
    ...(typeof token === "function" ? { azureADTokenProvider: token, apiKey: null } : {}),
  }
}

const described = (client: unknown): string => {
  if (typeof client !== "object" || client === null) return client === null ? "null" : `a ${typeof client}`
  const name: unknown = Reflect.get(client.constructor ?? {}, "name")
  const methods = ["withOptions", "chat", "responses", "messages"].filter((method) => method in client)
  const has = methods.length === 0 ? "none of withOptions, chat, responses, messages" : `only ${methods.join(", ")}`
  return `an object of class ${typeof name === "string" && name !== "" ? name : "without a name"}, which has ${has}`
}

const call = (client: object, name: string, args: ReadonlyArray<unknown>): unknown => {
  const method: unknown = Reflect.get(client, name)
  return typeof method === "function" ? Reflect.apply(method, client, args) : undefined
}

/** A constructor that makes governed clients of the client's class. Its name, statics and prototype are those of the class. */
const governedClass = (client: object, governance: Governance): object => {
  const wrapped: object = new Proxy(client.constructor, {
    construct: (target, args, newTarget) => {
      const made: unknown = Reflect.construct(target, args, newTarget)
      if (typeof made !== "object" || made === null) throw new TypeError("A class made no object.")
      return governed(made, governance, wrapped)
    },
  })
  return wrapped
}

const governed = <C extends object>(client: C, governance: Governance, itsClass: object): C => {
  const fetches = new FetchSlot(Reflect.get(client, "fetch"), governance)
  const makeStatusError: unknown = Reflect.get(client, "makeStatusError")
  Object.defineProperties(client, {
    constructor: { value: itsClass, configurable: true, writable: true },
    fetch: {
      get: () => fetches.governed,
      set: (fetch: unknown) => fetches.set(fetch),
      configurable: true,
      enumerable: true,
    },
    makeStatusError: {
      configurable: true,
      writable: true,
      value: (...args: ReadonlyArray<unknown>) => {
        const refused = governance.refusals.take(args[3])
        if (refused !== undefined) return refused.error
        return typeof makeStatusError === "function" ? Reflect.apply(makeStatusError, client, args) : undefined
      },
    },
  })
  unwrapRunners(client, governance.refusals)
  return client
}

/** Which fetches govern already: a client that is made from a governed one inherits its fetch. */
const governing = new WeakMap<object, Governance>()

/** The client's fetch. Whatever is put there is governed. */
class FetchSlot {
  readonly #governance: Governance
  governed: Fetch

  constructor(fetch: unknown, governance: Governance) {
    this.#governance = governance
    this.governed = this.#govern(fetch)
  }

  set(fetch: unknown): void {
    this.governed = this.#govern(fetch)
  }

  #govern(fetch: unknown): Fetch {
    if (!isFetch(fetch)) throw new TypeError("A client's fetch is a function.")
    if (governing.get(fetch) === this.#governance) return fetch
    const made = governedFetch((input, init) => fetch(input, init), this.#governance)
    governing.set(made, this.#governance)
    return made
  }
}

const isFetch = (fetch: unknown): fetch is Fetch => typeof fetch === "function"
