/** `handrail keys rotate KEY`: another key like the old one; both are valid until the old one has had its grace. */
import { CommandError, type CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { storeOptions } from "../store.ts"

const dayMs = 86_400_000

export const keysRotate: CommandSpec = {
  name: "keys rotate",
  summary: "make another key like an old one, and let the old one run out",
  about: [
    "The new key has the name, tenant and scopes of the old one, and is printed once. Both are valid until the grace " +
      "is over: hand the new one out in that time.",
  ],
  arguments: [{ name: "KEY", describe: "the id of a key, as keys list shows it", required: true }],
  options: {
    grace: { kind: "text", value: "DURATION", describe: "how long the old key stays valid (default 1d)" },
    ...storeOptions,
    json: { kind: "flag", describe: "print the key and what is known of it as JSON" },
  },
  examples: [
    { command: "handrail keys rotate 0011223344556677 --grace 2h > planner.key", what: "in the course of two hours" },
  ],
  exits: [
    [exitCodes.ok, "made"],
    [exitCodes.found, "there is no such key, or it is valid no more"],
    [exitCodes.usage, "wrong usage, or there is no such store"],
  ],
  run: async (input, terminal) => {
    const { durationOption, relative } = await import("../times.ts")
    const { found, keyJson, withKeys } = await import("../keysTarget.ts")
    const { isLive } = await import("../../adapters/http/auth/Keys.ts")
    const graceMs = (await durationOption(input, "grace")) ?? dayMs
    const now = Date.now()
    const { key, record } = await withKeys(input, terminal, { created: false }, async (ring, keys) => {
      const old = await found(keys, input.arg(0))
      if (!isLive(old, now))
        throw new CommandError(
          "key_ended",
          `Key ${old.keyId} is valid no more.`,
          "Make a new one with handrail keys create.",
        )
      return ring.rotate(old.keyId, { graceMs })
    })
    if (input.flag("json")) terminal.print(JSON.stringify({ key, ...keyJson(record) }, null, 2))
    else {
      terminal.tell(
        `Key ${record.keyId} of ${record.name} takes the place of ${input.arg(0)}, which expires ` +
          `${relative(now + graceMs, now)}. It is shown this once:`,
      )
      terminal.print(key)
    }
    return exitCodes.ok
  },
}
