/**
 * Session tokens: proof that the caller is a session. Derived from a secret of the server, so the same session has the same
 * token on every server of a store and none is stored.
 *
 * `hrs_<mac>.<session id>`: the id is no secret, and lets a token be read without naming its session.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { Schema } from "effect"
import { SessionId, type Tenant } from "../../../machines/ids.ts"
import { httpLimits } from "../limits.ts"
import type { Keys } from "./Keys.ts"

const form = /^hrs_([A-Za-z0-9_-]{43})\.(.{1,128})$/
const isSessionId = Schema.is(SessionId)

export class SessionTokens {
  readonly #secret: string
  /** Proofs cost more than what many of the requests ask for. */
  readonly #proven = new Map<string, SessionId>()

  private constructor(secret: string) {
    this.#secret = secret
  }

  static async open(keys: Keys): Promise<SessionTokens> {
    return new SessionTokens(await keys.secret("session_tokens", randomBytes(32).toString("base64url")))
  }

  issue(tenant: Tenant, sessionId: SessionId): string {
    const token = `hrs_${this.#mac(tenant, sessionId).toString("base64url")}.${sessionId}`
    this.#keep(keyOf(tenant, token), sessionId)
    return token
  }

  /** The session that a token proves within a tenant; undefined where it proves none. */
  read(tenant: Tenant, token: string): SessionId | undefined {
    const key = keyOf(tenant, token)
    const known = this.#proven.get(key)
    if (known !== undefined) return known
    const [, mac, sessionId] = form.exec(token) ?? []
    if (mac === undefined || !isSessionId(sessionId)) return undefined
    const given = Buffer.from(mac, "base64url")
    const right = this.#mac(tenant, sessionId)
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined
    this.#keep(key, sessionId)
    return sessionId
  }

  /** What was proven once, or made here, stays proven; the oldest are proven again. */
  #keep(key: string, sessionId: SessionId): void {
    if (this.#proven.size >= httpLimits.tokensKept) this.#proven.clear()
    this.#proven.set(key, sessionId)
  }

  /** Ids hold no NUL, so no two pairs share a text. */
  #mac(tenant: Tenant, sessionId: string): Buffer {
    return createHmac("sha256", this.#secret).update(`session\u0000${tenant}\u0000${sessionId}`).digest()
  }
}

const keyOf = (tenant: Tenant, token: string): string => `${tenant}\u0000${token}`
