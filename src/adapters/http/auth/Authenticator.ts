/**
 * Who sends a request, by its key. Verified keys are remembered for a moment, so that the store is not asked for each request;
 * a revoked key is refused everywhere within that moment.
 *
 * While no key was ever made, a request on loopback counts as tenant `default` with all scopes (wire.md, "Authentication").
 */
import { hash } from "node:crypto"
import { Tenant } from "../../../machines/ids.ts"
import { httpLimits } from "../limits.ts"
import { isProof, parseKey } from "./apiKey.ts"
import { isLive, type KeyRecord, type Keys, type Scope, scopes } from "./Keys.ts"

export interface Holder {
  readonly tenant: Tenant
  readonly keyId: string
  readonly name: string
  readonly scopes: ReadonlySet<Scope>
  /** No key: development on loopback. */
  readonly isDevelopment: boolean
}

interface Known {
  readonly checkedAt: number
  /** Undefined for a key that is none. */
  readonly record: KeyRecord | undefined
  readonly holder: Holder | undefined
}

const developer: Holder = {
  tenant: Tenant.make("default"),
  keyId: "development",
  name: "anonymous",
  scopes: new Set(scopes),
  isDevelopment: true,
}

export class Authenticator {
  readonly #keys: Keys
  readonly #now: () => number
  readonly #known = new Map<string, Known>()
  readonly #asking = new Map<string, Promise<Known>>()
  #hasKeys = false
  #noKeysAt = Number.NEGATIVE_INFINITY

  constructor(keys: Keys, now: () => number) {
    this.#keys = keys
    this.#now = now
  }

  /** The holder of a key; undefined where it is none. At once for a key that was seen a moment ago. */
  holder(key: string): Holder | undefined | Promise<Holder | undefined> {
    // By its hash: how long a look-up takes says nothing about the key, and no key stays in memory.
    const digest = hash("sha256", key, "base64")
    const known = this.#known.get(digest)
    const now = this.#now()
    if (known !== undefined && now - known.checkedAt < httpLimits.keyFreshMs)
      return known.record === undefined || isLive(known.record, now) ? known.holder : undefined
    let asking = this.#asking.get(digest)
    if (asking === undefined) {
      asking = this.#ask(key, digest).finally(() => this.#asking.delete(digest))
      this.#asking.set(digest, asking)
    }
    return asking.then(({ holder }) => holder)
  }

  /** Whoever has no key and may do without. */
  async anonymous(isLocal: boolean): Promise<Holder | undefined> {
    return isLocal && !(await this.hasKeys()) ? developer : undefined
  }

  /** Whether a key was ever made; once it was, this never asks again. */
  async hasKeys(): Promise<boolean> {
    const now = this.#now()
    if (this.#hasKeys || now - this.#noKeysAt < httpLimits.keyFreshMs / 4) return this.#hasKeys
    this.#hasKeys = await this.#keys.any()
    this.#noKeysAt = now
    return this.#hasKeys
  }

  async #ask(key: string, digest: string): Promise<Known> {
    const parsed = parseKey(key)
    const record = parsed === undefined ? undefined : await this.#keys.find(parsed.keyId)
    const checkedAt = this.#now()
    const valid = parsed !== undefined && isProof(parsed.secret, record, checkedAt) ? record : undefined
    const known: Known = { checkedAt, record: valid, holder: valid === undefined ? undefined : holderOf(valid) }
    this.#known.delete(digest)
    this.#known.set(digest, known)
    if (this.#known.size > httpLimits.keysKept) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest)
        break
      }
    }
    return known
  }
}

const holderOf = ({ tenant, keyId, name, scopes: of }: KeyRecord): Holder => ({
  tenant,
  keyId,
  name,
  scopes: new Set(of),
  isDevelopment: false,
})
