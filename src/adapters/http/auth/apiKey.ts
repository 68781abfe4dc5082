/** The text of an API key, taken apart and compared. Nothing here says which part of a key was wrong. */
import { createHash, timingSafeEqual } from "node:crypto"
import { isLive, type KeyRecord } from "./Keys.ts"

const form = /^hrk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

export const parseKey = (text: string): { readonly keyId: string; readonly secret: string } | undefined => {
  const [, keyId, secret] = form.exec(text) ?? []
  return keyId === undefined || secret === undefined ? undefined : { keyId, secret }
}

export const hashSecret = (secret: string): Buffer => createHash("sha256").update(secret).digest()

const nobody = Buffer.alloc(32)

/** Takes as long for a key that does not exist as for one whose secret is wrong. */
export const isProof = (secret: string, record: KeyRecord | undefined, now: number): record is KeyRecord => {
  const stored = record === undefined ? nobody : Buffer.from(record.hash, "hex")
  const equal = stored.length === nobody.length && timingSafeEqual(hashSecret(secret), stored)
  return equal && record !== undefined && isLive(record, now)
}
