/** `handrail keys revoke KEY`: the key is refused from now on, by every server on the store within two seconds. */
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { storeOptions } from "../store.ts"

export const keysRevoke: CommandSpec = {
  name: "keys revoke",
  summary: "end an API key now",
  about: [
    "Servers that run on the store refuse the key within two seconds, and end the streams that it opened. It can't be " +
      "undone. Revoking the last key does not bring development mode back.",
  ],
  arguments: [{ name: "KEY", describe: "the id of a key, as keys list shows it", required: true }],
  options: { ...storeOptions, json: { kind: "flag", describe: "print what is known of it as JSON" } },
  examples: [{ command: "handrail keys revoke 0011223344556677", what: "because it leaked" }],
  exits: [
    [exitCodes.ok, "revoked, or it was before"],
    [exitCodes.found, "there is no such key"],
    [exitCodes.usage, "wrong usage, or there is no such store"],
  ],
  run: async (input, terminal) => {
    const { found, keyJson, withKeys } = await import("../keysTarget.ts")
    const record = await withKeys(input, terminal, { created: false }, async (ring, keys) => {
      const { keyId } = await found(keys, input.arg(0))
      await ring.revoke(keyId)
      return found(keys, keyId)
    })
    if (input.flag("json")) terminal.print(JSON.stringify(keyJson(record), null, 2))
    else terminal.print(`Key ${record.keyId} of ${record.name} is revoked.`)
    return exitCodes.ok
  },
}
