/** Keys that are gone when the process ends: for tests and for `memory:`. */
import type { Tenant } from "../../../machines/ids.ts"
import type { KeyRecord, Keys } from "./Keys.ts"

export class MemoryKeys implements Keys {
  readonly #records = new Map<string, KeyRecord>()
  readonly #secrets = new Map<string, string>()

  async find(keyId: string): Promise<KeyRecord | undefined> {
    return this.#records.get(keyId)
  }
  async insert(record: KeyRecord): Promise<void> {
    this.#records.set(record.keyId, record)
  }
  async list(tenant?: Tenant): Promise<ReadonlyArray<KeyRecord>> {
    return [...this.#records.values()].filter((record) => tenant === undefined || record.tenant === tenant)
  }
  async revoke(keyId: string, at: number): Promise<boolean> {
    const record = this.#records.get(keyId)
    if (record === undefined) return false
    this.#records.set(keyId, { ...record, revokedAt: record.revokedAt ?? at })
    return true
  }
  async expire(keyId: string, at: number): Promise<boolean> {
    const record = this.#records.get(keyId)
    if (record === undefined) return false
    this.#records.set(keyId, { ...record, expiresAt: Math.min(at, record.expiresAt ?? at) })
    return true
  }
  async any(): Promise<boolean> {
    return this.#records.size > 0
  }
  async secret(name: string, candidate: string): Promise<string> {
    const secret = this.#secrets.get(name) ?? candidate
    this.#secrets.set(name, secret)
    return secret
  }
  async close(): Promise<void> {}
}
