/**
 * The session tokens that a client has: from the answers to create and claim, or given to it.
 *
 * A read of a workflow may be proven by any of its sessions, so the book also knows in which workflow a session is, once an
 * answer has told. It keeps the latest used ones; a session that was forgotten can be claimed or created again under its id.
 */
import { clientLimits } from "./limits.ts"

const form = /^hrs_[A-Za-z0-9_-]+\.(.+)$/

export class TokenBook {
  /** By session, the latest used last. */
  readonly #tokens = new Map<string, string>()
  /** The session that speaks for a workflow. */
  readonly #speakers = new Map<string, string>()

  constructor(tokens: ReadonlyArray<string>) {
    for (const token of tokens) {
      const [, sessionId] = form.exec(token) ?? []
      if (sessionId !== undefined) keep(this.#tokens, sessionId, token)
    }
  }

  learn(sessionId: string, token: string, workflowId: string): void {
    keep(this.#tokens, sessionId, token)
    this.locate(sessionId, workflowId)
  }

  /** Notes where a session is, where the book has its token. */
  locate(sessionId: string, workflowId: string): void {
    if (this.#tokens.has(sessionId)) keep(this.#speakers, workflowId, sessionId)
  }

  of(sessionId: string): string | undefined {
    const token = this.#tokens.get(sessionId)
    if (token !== undefined) keep(this.#tokens, sessionId, token)
    return token
  }

  ofWorkflow(workflowId: string): string | undefined {
    const speaker = this.#speakers.get(workflowId)
    return speaker === undefined ? undefined : this.of(speaker)
  }
}

const keep = (map: Map<string, string>, key: string, value: string): void => {
  map.delete(key)
  map.set(key, value)
  if (map.size <= clientLimits.tokens) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
