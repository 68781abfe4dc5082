/** Real servers on free ports, and ways to come between a client and its server. Everything is taken away when its test ends. */
import { onTestFinished } from "vitest"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import type { Keys, Scope } from "../../src/adapters/http/auth/Keys.ts"
import { MemoryKeys } from "../../src/adapters/http/auth/MemoryKeys.ts"
import type { ConnectOptions } from "../../src/adapters/http/client/options.ts"
import type { RemoteClient } from "../../src/adapters/http/client/RemoteClient.ts"
import { HttpApp, type HttpOptions } from "../../src/adapters/http/server/HttpApp.ts"
import { type Listening, listen } from "../../src/adapters/http/server/nodeServer.ts"
import { makeMemoryStore } from "../../src/adapters/memory/MemoryJournal.ts"
import type { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"

export type Fetch = NonNullable<ConnectOptions["fetch"]>

export interface Served {
  readonly runtime: EmbeddedClient
  readonly app: HttpApp
  readonly listening: Listening
  readonly keys: Keys
  readonly url: string
  /** With the scopes of agents, readers and operators. */
  readonly key: string
  keyOf(...scopes: ReadonlyArray<Scope>): Promise<string>
  /** A client of it with the key of all scopes, unless told otherwise. */
  connect(options?: Partial<ConnectOptions>): RemoteClient
}

interface ServeOptions extends Partial<HttpOptions> {
  readonly port?: number
  readonly keys?: Keys
}

export const serve = async ({ port, ...options }: ServeOptions = {}): Promise<Served> => {
  const runtime = options.runtime ?? (await Handrail.open({ store: makeMemoryStore() }))
  const keys = options.keys ?? new MemoryKeys()
  const ring = new KeyRing(keys)
  const { key } = await ring.create({ name: "all", scopes: ["agent", "read", "operator"] })
  const defects: Array<unknown> = []
  const app = await HttpApp.open({ keys, rate: false, onDefect: (error) => defects.push(error), ...options, runtime })
  const listening = await listen(app, port === undefined ? {} : { port })
  onTestFinished(async () => {
    await listening.close({ graceMs: 200 })
    await runtime.close()
    if (defects.length > 0) throw new Error(`defects: ${defects.map(String).join("; ")}`)
  })
  return {
    runtime,
    app,
    listening,
    keys,
    url: listening.url,
    key,
    keyOf: async (...scopes) => (await ring.create({ name: "one", scopes })).key,
    connect: (rest) => connected({ url: listening.url, apiKey: key, ...rest }),
  }
}

export const connected = (options: ConnectOptions): RemoteClient => {
  const client = Handrail.connect(options)
  onTestFinished(() => client.close())
  return client
}

export interface Passing {
  readonly method: string
  /** Without the prefix of the API. */
  readonly path: string
  readonly key: string | null
  readonly headers: Headers
}

/** The global `fetch` behind a gate that sees what is sent, and may answer in the server's place or spoil the answer. */
export const gated = (
  gate: (
    passing: Passing,
    pass: () => Promise<Response>,
    count: number,
    init: RequestInit,
  ) => Promise<Response> | Response,
): { readonly fetch: Fetch; readonly seen: Array<Passing> } => {
  const seen: Array<Passing> = []
  return {
    seen,
    fetch: async (url, init) => {
      const headers = new Headers(init.headers)
      const passing = {
        method: init.method ?? "GET",
        path: new URL(url).pathname.replace("/api/v1/replay", ""),
        key: headers.get("idempotency-key"),
        headers,
      }
      seen.push(passing)
      return gate(passing, () => fetch(url, init), seen.length, init)
    },
  }
}

/** As `fetch` fails where a connection is reset. */
export const reset = (code = "ECONNRESET"): never => {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) })
}

/** What was thrown. */
export const thrown = async (promise: Promise<unknown>, what = "it"): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error(`${what} was not rejected`)
}
