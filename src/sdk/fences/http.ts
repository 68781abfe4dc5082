/**
 * Fencing over HTTP: a client that sends its tokens along, and a server that refuses stale ones.
 *
 * The check and the write have to be one thing: a request that was checked, then paused, must not write after a newer one. So
 * the server's handler runs inside the store's transaction, and others with the same resource wait for it.
 */
import type { Fence, ResourceRef } from "../../machines/ids.ts"
import { fenceHeader, fenceHeaderOf, fenceProblem, type HeadersLike, readFences, staleOf } from "./header.ts"

/**
 * Of `MemoryFences`, or one around `PostgresFences`: `{ transaction: (fences, work) => postgres.transaction(pool, fences,
 * work) }`.
 */
export interface FenceStore<Connection> {
  transaction<A>(fences: ReadonlyArray<Fence>, work: (connection: Connection) => Promise<A>): Promise<A>
}

export interface FencedHandler<R extends { readonly headers: HeadersLike }, Connection> {
  readonly store: FenceStore<Connection>
  /** What the request changes, by the server's own reading of it: a token of each is required. */
  readonly resources: (request: R) => ReadonlyArray<ResourceRef>
  /** Writes, through `connection` where the store has one. */
  readonly handle: (request: R, connection: Connection, fences: ReadonlyArray<Fence>) => Promise<Response>
}

type Fetch = typeof globalThis.fetch

/**
 * A handler of requests that answers 412 `application/problem+json` to a stale token, 428 to a missing one and 400 to a
 * malformed one, all without calling `handle`.
 *
 * Guarantee: requests with a resource in common are handled one after another, and none after one with a greater token was.
 * With `MemoryFences` that holds within one process's life; with a database, for all that `handle` writes through
 * `connection`, over restarts and any number of servers. Limits: an answer that is an error does not undo what was written,
 * unless `handle` throws.
 */
export const fencedHandler =
  <R extends { readonly headers: HeadersLike }, Connection>({
    store,
    resources,
    handle,
  }: FencedHandler<R, Connection>) =>
  async (request: R): Promise<Response> => {
    try {
      const fences = readFences(request.headers, resources(request))
      return await store.transaction(fences, (connection) => handle(request, connection, fences))
    } catch (error) {
      const problem = fenceProblem(error)
      if (problem === undefined) throw error
      return new Response(problem.body, { status: problem.status, headers: problem.headers })
    }
  }

/**
 * `fetch` that sends the fences along, and throws `StaleFenceError` where a checker has refused one as stale. Every other
 * answer is returned as it is: a server that does not check them sends none of its own.
 */
export const fencedFetch = (fences: ReadonlyArray<Fence>, fetch: Fetch = globalThis.fetch): Fetch => {
  const value = fenceHeaderOf(fences)
  return async (input, init) => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    headers.set(fenceHeader, value)
    const response = await fetch(input, { ...init, headers })
    if (response.status !== 412) return response
    const stale = staleOf(
      await response
        .clone()
        .json()
        .catch(() => undefined),
    )
    if (stale !== undefined) throw stale
    return response
  }
}
