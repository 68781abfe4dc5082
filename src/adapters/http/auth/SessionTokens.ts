/**
 * Session tokens: proof that the caller is a session. Derived from a secret of the server, so the same session has the same
 * token on every server of a store and none is stored.
 *
 * `hrs_<mac>.<session id>`: the id is no secret, and lets a token be read without naming its session.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { Schema } from "effect"
import { SessionId, type Tenant } from "../../../machines/ids.ts"
import type { Keys } from "./Keys.ts"

const form = /^hrs_([A-Za-z0-9_-]{43})\.(.{1,128})$/
const isSessionId = Schema.is(SessionId)

export class SessionTokens {
  readonly #secret: string

  private constructor(secret: string) {
    this.#secret = secret
  }

  static async open(keys: Keys): Promise<SessionTokens> {
    return new SessionTokens(await keys.secret("session_tokens", randomBytes(32).toString("base64url")))
  }

  issue(tenant: Tenant, sessionId: string): string {
    return `hrs_${this.#mac(tenant, sessionId).toString("base64url")}.${sessionId}`
  }

  /** The session that a token proves within a tenant; undefined where it proves none. */
  read(tenant: Tenant, token: string): SessionId | undefined {
    const [, mac, sessionId] = form.exec(token) ?? []
    if (mac === undefined || !isSessionId(sessionId)) return undefined
    const given = Buffer.from(mac, "base64url")
    const right = this.#mac(tenant, sessionId)
    return given.length === right.length && timingSafeEqual(given, right) ? sessionId : undefined
  }

  /** Ids hold no NUL, so no two pairs share a text. */
  #mac(tenant: Tenant, sessionId: string): Buffer {
    return createHmac("sha256", this.#secret).update(`session\u0000${tenant}\u0000${sessionId}`).digest()
  }
}
