/** What the `keys` commands share: the store whose keys they are about, opened for a moment. */

import type { KeyRing } from "../adapters/http/auth/KeyRing.ts"
import type { KeyRecord, Keys } from "../adapters/http/auth/Keys.ts"
import { CommandError } from "./Command.ts"
import type { Input } from "./Input.ts"
import { chosenStore, openKeys } from "./store.ts"
import type { Terminal } from "./Terminal.ts"

/** `created`: a first key may be made before the server ever ran. */
export const withKeys = async <A>(
  input: Input,
  terminal: Terminal,
  options: { readonly created: boolean },
  use: (ring: KeyRing, keys: Keys) => Promise<A>,
): Promise<A> => {
  const choice = chosenStore(input, terminal, options)
  const { KeyRing: Ring } = await import("../adapters/http/auth/KeyRing.ts")
  const keys = await openKeys(choice)
  try {
    return await use(new Ring(keys), keys)
  } finally {
    await keys.close()
  }
}

/** Refuses an id that no key has. */
export const found = async (keys: Keys, keyId: string): Promise<KeyRecord> => {
  const record = await keys.find(keyId)
  if (record === undefined)
    throw new CommandError(
      "key_not_found",
      `There is no key ${keyId}.`,
      "handrail keys list shows those that there are.",
    )
  return record
}

/** Of a key, without its secret and without the secret's hash. */
export const keyJson = ({ keyId, tenant, name, scopes, createdAt, expiresAt, revokedAt }: KeyRecord) => ({
  key_id: keyId,
  name,
  tenant,
  scopes,
  created_at: createdAt,
  expires_at: expiresAt,
  revoked_at: revokedAt,
})
