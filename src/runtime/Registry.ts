/**
 * The registry: one live actor for each workflow that is in use, idle ones put away (their state is in the journal).
 *
 * It also remembers in which workflow a session is, so that a command that names only its session finds its actor without
 * asking the store.
 */
import type { SessionId, Tenant, WorkflowId } from "../machines/ids.ts"
import { Actor } from "./Actor.ts"
import type { ActorHost } from "./ActorHost.ts"
import { limits } from "./limits.ts"

/** Ids hold no NUL, so two pairs never share a key. */
const keyOf = (tenant: Tenant, id: string): string => `${tenant}\u0000${id}`

export class Registry {
  readonly #host: ActorHost
  readonly #actors = new Map<string, Actor>()
  readonly #locations = new Map<string, WorkflowId>()

  constructor(host: ActorHost) {
    this.#host = host
  }

  get size(): number {
    return this.#actors.size
  }

  actor(tenant: Tenant, workflowId: WorkflowId): Actor {
    const key = keyOf(tenant, workflowId)
    let actor = this.#actors.get(key)
    if (actor === undefined) {
      // Before it is there: it has nothing to do yet, and would be the first to be put away.
      if (this.#actors.size >= limits.actors) this.sweep(0)
      actor = new Actor(tenant, workflowId, this.#host)
      this.#actors.set(key, actor)
    }
    return actor
  }

  live(tenant: Tenant, workflowId: WorkflowId): Actor | undefined {
    return this.#actors.get(keyOf(tenant, workflowId))
  }

  actors(): Iterable<Actor> {
    return this.#actors.values()
  }

  forEach(visit: (actor: Actor) => void): void {
    for (const actor of this.#actors.values()) visit(actor)
  }

  /** Puts an actor away at once, if nothing waits for it. */
  putAway(actor: Actor): void {
    if (actor.isIdle) this.#actors.delete(keyOf(actor.tenant, actor.workflowId))
  }

  /** Puts away every actor that has been idle since `before` (epoch ms), or simply every idle one with 0. */
  sweep(before: number): void {
    for (const [key, actor] of this.#actors)
      if (actor.isIdle && (before === 0 || actor.lastUsed < before)) this.#actors.delete(key)
  }

  locate(tenant: Tenant, sessionId: SessionId): WorkflowId | undefined {
    return this.#locations.get(keyOf(tenant, sessionId))
  }

  remember(tenant: Tenant, sessionId: SessionId, workflowId: WorkflowId): void {
    this.#locations.set(keyOf(tenant, sessionId), workflowId)
    if (this.#locations.size <= limits.locations) return
    for (const oldest of this.#locations.keys()) {
      this.#locations.delete(oldest)
      break
    }
  }
}
