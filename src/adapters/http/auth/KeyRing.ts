/**
 * `KeyRing`: making, rotating and revoking API keys: what the command line does with them.
 *
 * A key is `hrk_<id>_<secret>`: the id finds its record, the secret proves it. The text is shown once, when it is made, and
 * can't be had again.
 */
import { randomBytes } from "node:crypto"
import { Schema } from "effect"
import { Name, Tenant } from "../../../machines/ids.ts"
import { fail } from "../../../runtime/errors.ts"
import { hashSecret } from "./apiKey.ts"
import { type KeyRecord, type Keys, type Scope, scopes } from "./Keys.ts"

export interface NewKey {
  readonly tenant?: string
  /** Who will hold it: 1 to 100 characters of A-Z a-z 0-9 _ . : - */
  readonly name: string
  readonly scopes: ReadonlyArray<Scope>
  /** How long it lives; without, until it is revoked. */
  readonly lifeMs?: number
}
export interface MadeKey {
  /** The key itself. It is not stored. */
  readonly key: string
  readonly record: KeyRecord
}

const isTenant = Schema.is(Tenant)
const isName = Schema.is(Name)
const longestName = 100

export class KeyRing {
  readonly #keys: Keys
  readonly #now: () => number

  constructor(keys: Keys, now: () => number = Date.now) {
    this.#keys = keys
    this.#now = now
  }

  async create({ tenant = "default", name, scopes: wanted, lifeMs }: NewKey): Promise<MadeKey> {
    const wrong: Array<{ readonly path: string; readonly message: string }> = []
    if (!isName(name) || name.length > longestName)
      wrong.push({ path: "name", message: `Expected 1 to ${longestName} characters of A-Z a-z 0-9 _ . : -` })
    if (wanted.length === 0 || wanted.some((scope) => !scopes.includes(scope)))
      wrong.push({ path: "scopes", message: `Expected some of ${scopes.join(", ")}` })
    if (lifeMs !== undefined && !(lifeMs > 0)) wrong.push({ path: "lifeMs", message: "Expected more than 0" })
    if (!isTenant(tenant) || wrong.length > 0)
      throw fail("invalid_request", "The key can't be made like that.", {
        errors: isTenant(tenant) ? wrong : [{ path: "tenant", message: "Expected an id" }, ...wrong],
      })
    const now = this.#now()
    return this.#make({
      tenant,
      name,
      scopes: [...new Set(wanted)],
      expiresAt: lifeMs === undefined ? null : now + lifeMs,
    })
  }

  /** Another key like this one. Both are valid until the old one has had its grace. */
  async rotate(keyId: string, options: { readonly graceMs: number }): Promise<MadeKey> {
    const old = await this.#keys.find(keyId)
    if (old === undefined) throw noKey(keyId)
    const made = await this.#make({ tenant: old.tenant, name: old.name, scopes: old.scopes, expiresAt: null })
    await this.#keys.expire(keyId, this.#now() + options.graceMs)
    return made
  }

  async revoke(keyId: string): Promise<void> {
    if (!(await this.#keys.revoke(keyId, this.#now()))) throw noKey(keyId)
  }

  list(tenant?: Tenant): Promise<ReadonlyArray<KeyRecord>> {
    return this.#keys.list(tenant)
  }

  async #make(like: Pick<KeyRecord, "tenant" | "name" | "scopes" | "expiresAt">): Promise<MadeKey> {
    const keyId = randomBytes(8).toString("hex")
    const secret = randomBytes(32).toString("base64url")
    const record = { ...like, keyId, hash: hashSecret(secret).toString("hex"), createdAt: this.#now(), revokedAt: null }
    await this.#keys.insert(record)
    return { key: `hrk_${keyId}_${secret}`, record }
  }
}

const noKey = (keyId: string) => fail("invalid_request", `There is no key ${keyId}.`, { keyId })
