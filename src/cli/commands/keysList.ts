/** `handrail keys list`: every key of a store, and what became of it. Never a secret. */
import type { KeyRecord } from "../../adapters/http/auth/Keys.ts"
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { storeOptions } from "../store.ts"
import type { Terminal } from "../Terminal.ts"

export const keysList: CommandSpec = {
  name: "keys list",
  summary: "list the API keys, without their secrets",
  about: [],
  arguments: [],
  options: {
    tenant: { kind: "text", value: "ID", describe: "only those of a tenant (default: all)" },
    ...storeOptions,
    json: { kind: "flag", describe: "print them as JSON" },
  },
  examples: [
    { command: "handrail keys list", what: "of the store in this directory" },
    {
      command: "handrail keys list --json | jq -r '.keys[] | select(.revoked_at == null).key_id'",
      what: "in a script",
    },
  ],
  exits: [
    [exitCodes.ok, "listed, also where there is none"],
    [exitCodes.found, "the store can't be opened"],
    [exitCodes.usage, "wrong usage, or there is no such store"],
  ],
  run: async (input, terminal) => {
    const { keyJson, withKeys } = await import("../keysTarget.ts")
    const tenant = input.text("tenant")
    const all = await withKeys(input, terminal, { created: false }, (ring) => ring.list())
    const keys = all.filter((key) => tenant === undefined || key.tenant === tenant)
    if (input.flag("json")) terminal.print(JSON.stringify({ keys: keys.map(keyJson) }, null, 2))
    else if (keys.length === 0) terminal.tell("There is no key. handrail keys create makes one.")
    else await show(keys, Date.now(), terminal)
    return exitCodes.ok
  },
}

const show = async (keys: ReadonlyArray<KeyRecord>, now: number, terminal: Terminal): Promise<void> => {
  const { table } = await import("../table.ts")
  const { momentText, relative } = await import("../times.ts")
  const state = ({ revokedAt, expiresAt }: KeyRecord): string => {
    if (revokedAt !== null) return terminal.paint("dim", `revoked ${relative(revokedAt, now)}`)
    if (expiresAt === null) return terminal.paint("green", "valid")
    if (expiresAt <= now) return terminal.paint("dim", `expired ${relative(expiresAt, now)}`)
    return terminal.paint("yellow", `expires ${relative(expiresAt, now)}`)
  }
  const titles = ["KEY", "NAME", "TENANT", "SCOPES", "CREATED", "STATE"].map((title) => ({ title }))
  const rows = keys.map((key) => [
    key.keyId,
    key.name,
    key.tenant,
    key.scopes.join(","),
    momentText(key.createdAt),
    state(key),
  ])
  terminal.print(table(titles, rows, terminal))
}
