/**
 * The sessions that one MCP connection acts for, and nobody else does through it: a call names one of them, or means the only
 * one.
 *
 * Their tokens stay in the client, and never reach the model. As long as the connection lives, their claim leases are
 * renewed; when it ends they stay active, and a claim without progress runs out.
 */
import { randomUUID } from "node:crypto"
import type { Client } from "../runtime/Client.ts"
import { fail, WorkflowError } from "../runtime/errors.ts"
import type { Session } from "../runtime/Session.ts"
import { Heartbeats } from "../sdk/link/Heartbeats.ts"
import { mcpLimits } from "./limits.ts"

interface Entry {
  readonly session: Session
  readonly stopBeats: () => void
  hasEnded: boolean
}

/** Codes after which no command of the session will be carried out. */
const final: ReadonlySet<string> = new Set([
  "session_killed",
  "session_not_active",
  "workflow_killed",
  "workflow_not_active",
])

export class SessionBook {
  readonly client: Client
  readonly #entries = new Map<string, Entry>()

  constructor(client: Client) {
    this.client = client
  }

  /** Takes a session in. The same one again, resumed, is the same entry. */
  add(session: Session): void {
    const { sessionId } = session
    this.#entries.get(sessionId)?.stopBeats()
    this.#entries.set(sessionId, { session, stopBeats: this.#beat(session), hasEnded: false })
  }

  /** Throws `overloaded` where there is no room for another session. */
  checkRoom(): void {
    if (this.#entries.size < mcpLimits.sessionsPerConnection) return
    for (const [sessionId, { hasEnded }] of this.#entries) if (hasEnded) this.#entries.delete(sessionId)
    if (this.#entries.size >= mcpLimits.sessionsPerConnection)
      throw fail("overloaded", `This connection acts for ${this.#entries.size} sessions. End some, or connect anew.`)
  }

  /** The session that a call means. Throws where it names none of this connection's, or leaves open which. */
  of(sessionId: string | undefined): Session {
    if (sessionId !== undefined) {
      const entry = this.#entries.get(sessionId)
      if (entry !== undefined) return entry.session
      throw fail("forbidden", `This connection does not act for session ${sessionId}. Claim its handoff here.`, {
        sessionId,
        sessions: this.#ids(),
      })
    }
    const all = [...this.#entries.values()]
    const live = all.filter(({ hasEnded }) => !hasEnded)
    // Of sessions that have ended the last one: the runtime says how it has.
    const [one, second] = live.length === 0 ? all.slice(-1) : live
    if (one === undefined)
      throw fail("invalid_request", "This connection has no session yet. Claim a handoff first.", { sessions: [] })
    if (second !== undefined)
      throw fail("invalid_request", "This connection acts for several sessions: say which by session_id.", {
        sessions: this.#ids(),
      })
    return one.session
  }

  /** Sends a command of a session, and notes when the answer says that the session has ended. */
  async command<A>(session: Session, send: () => Promise<A>, ends: boolean): Promise<A> {
    try {
      const answer = await send()
      if (ends) this.#end(session)
      return answer
    } catch (error) {
      if (error instanceof WorkflowError && final.has(error.code)) this.#end(session)
      throw error
    }
  }

  /** Stops renewing leases. The sessions stay active. */
  close(): void {
    for (const { stopBeats } of this.#entries.values()) stopBeats()
    this.#entries.clear()
  }

  #ids(): ReadonlyArray<string> {
    return [...this.#entries.keys()]
  }

  #end({ sessionId }: Session): void {
    const entry = this.#entries.get(sessionId)
    if (entry === undefined) return
    entry.hasEnded = true
    entry.stopBeats()
  }

  #beat(session: Session): () => void {
    const { handedOver, workflowId } = session
    if (handedOver === null || handedOver.claimDeadline === null) return () => {}
    const beats = new Heartbeats(
      {
        life: { onEnd: () => () => {} },
        read: (ask) => ask(this.client, workflowId),
        command: (send) => this.command(session, () => send(session, { idempotencyKey: randomUUID() }), false),
      },
      handedOver.handoffId,
    )
    beats.start()
    return () => beats.stop()
  }
}
