/** `handrail keys create NAME`: makes an API key in a store, and shows it once. */
import { type Scope, scopes } from "../../adapters/http/auth/Keys.ts"
import { didYouMean } from "../../definition/suggest.ts"
import { type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { storeOptions, tenantOption } from "../store.ts"

export const keysCreate: CommandSpec = {
  name: "keys create",
  summary: "make an API key and show it once",
  about: [
    "The key alone is printed on standard output, so that it can go straight into a file or a secret store. It is " +
      "kept as a hash and can't be shown again. The store may be in use by a server, which knows the key at once.",
    "Scopes: agent (create sessions, claim, act for sessions it has the token of), read, operator (reclaim, withdraw, kill, " +
      "resolve, raise limits), admin (keys).",
  ],
  arguments: [{ name: "NAME", describe: "who will hold it: the journal names an operator by it", required: true }],
  options: {
    scopes: { kind: "list", value: "NAMES", describe: `what it may do: some of ${scopes.join(",")}`, choices: scopes },
    expires: {
      kind: "text",
      value: "DURATION",
      describe: "how long it lives, like 90d (default: until it is revoked)",
    },
    ...tenantOption,
    ...storeOptions,
    json: { kind: "flag", describe: "print the key and what is known of it as JSON" },
  },
  examples: [
    { command: "handrail keys create planner --scopes agent,read > planner.key", what: "for an agent" },
    { command: "handrail keys create dana --scopes operator,read --expires 90d", what: "for a person" },
  ],
  exits: [
    [exitCodes.ok, "made"],
    [exitCodes.found, "refused: the name is no id, or the store can't be opened"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const wanted = input.list("scopes").map(scopeOf)
    if (wanted.length === 0)
      throw new UsageError(`say what the key may do: --scopes ${scopes.join(",")}, or some of them`)
    const { durationOption, relative } = await import("../times.ts")
    const lifeMs = await durationOption(input, "expires")
    const tenant = input.text("tenant")
    const { keyJson, withKeys } = await import("../keysTarget.ts")
    const { key, record } = await withKeys(input, terminal, { created: true }, (ring) =>
      ring.create({
        name: input.arg(0),
        scopes: wanted,
        ...(tenant === undefined ? {} : { tenant }),
        ...(lifeMs === undefined ? {} : { lifeMs }),
      }),
    )
    if (input.flag("json")) {
      terminal.print(JSON.stringify({ key, ...keyJson(record) }, null, 2))
      return exitCodes.ok
    }
    const until = record.expiresAt === null ? "" : `; it expires ${relative(record.expiresAt, record.createdAt)}`
    terminal.tell(
      `Key ${record.keyId} of ${record.name} in tenant ${record.tenant}: ${record.scopes.join(", ")}${until}. ` +
        "It is shown this once:",
    )
    terminal.print(key)
    return exitCodes.ok
  },
}

const scopeOf = (text: string): Scope => {
  const scope = scopes.find((known) => known === text)
  if (scope === undefined)
    throw new UsageError(`there is no scope ${text}: ${scopes.join(", ")}`, didYouMean(text, scopes))
  return scope
}
