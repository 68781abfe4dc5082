/**
 * `Keys`: where API keys and the server's own secret are kept. A port: in memory here, in the database in
 * `adapters/kysely/keys.ts`.
 *
 * A key is stored as the sha256 of its secret. The secret has 256 bits of chance, so a slow hash would protect nothing.
 */
import type { Tenant } from "../../../machines/ids.ts"

export const scopes = ["agent", "read", "operator", "admin"] as const
export type Scope = (typeof scopes)[number]

export interface KeyRecord {
  readonly keyId: string
  readonly tenant: Tenant
  /** Who holds it: an operator's name in the journal. */
  readonly name: string
  readonly scopes: ReadonlyArray<Scope>
  /** sha256 of the secret, lowercase hex. */
  readonly hash: string
  readonly createdAt: number
  /** Epoch ms; null lives until it is revoked. */
  readonly expiresAt: number | null
  readonly revokedAt: number | null
}

/** Every method rejects with `storage_unavailable` where the store does not answer. */
export interface Keys {
  find(keyId: string): Promise<KeyRecord | undefined>
  insert(record: KeyRecord): Promise<void>
  /** Oldest first; of one tenant, or of all. */
  list(tenant?: Tenant): Promise<ReadonlyArray<KeyRecord>>
  /** Ends a key now or at a moment; never lets one live longer. False where there is no such key. */
  revoke(keyId: string, at: number): Promise<boolean>
  expire(keyId: string, at: number): Promise<boolean>
  /** Whether a key was ever made. */
  any(): Promise<boolean>
  /** The secret of this name: what is stored, or `candidate`, which is stored then. All servers on a store get the same. */
  secret(name: string, candidate: string): Promise<string>
  close(): Promise<void>
}

export const isLive = (record: KeyRecord, now: number): boolean =>
  record.revokedAt === null && (record.expiresAt === null || now < record.expiresAt)
