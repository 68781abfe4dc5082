/**
 * What an operator's command acts on: a server (`--url`, with a key), or a store directly (`--store`).
 *
 * What is typed wins over the environment. Without either it is the store that `serve` uses by default, and only if it is
 * there:
 * looking must not make a file.
 */
import { readFileSync } from "node:fs"
import { userInfo } from "node:os"
import type { CallOptions, Client } from "../runtime/Client.ts"
import { type OptionSpec, UsageError } from "./Command.ts"
import type { Input } from "./Input.ts"
import { chosenStore, storeOptions, tenantOption } from "./store.ts"
import type { Terminal } from "./Terminal.ts"

export const targetOptions: Readonly<Record<string, OptionSpec>> = {
  url: { kind: "text", value: "URL", describe: "a server, such as http://127.0.0.1:4000 (HANDRAIL_URL)" },
  "api-key-file": { kind: "text", value: "FILE", describe: "a file with the server's API key in it" },
  "api-key": {
    kind: "text",
    value: "KEY",
    describe: "the key itself, which others on this machine may see for a moment: better in HANDRAIL_API_KEY",
  },
  ...storeOptions,
  tenant: { ...tenantOption.tenant, kind: "text", describe: "with --store: whose workflows (default: default)" },
}

/** For commands that act: who does, as the journal will say. */
export const operatorOption: Readonly<Record<string, OptionSpec>> = {
  operator: {
    kind: "text",
    value: "NAME",
    describe: "with --store: who acts, for the journal (default: you); a server knows it by the key",
  },
}

/** Opens the target, and closes it afterwards. A SQLite file that is not there is made only if it may be `created`. */
export const withClient = async <A>(
  input: Input,
  terminal: Terminal,
  use: (client: Client) => Promise<A>,
  { created = false }: { readonly created?: boolean } = {},
): Promise<A> => {
  const client = await open(input, terminal, created)
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

/** The server's address, unless a store is meant. */
export const serverOf = (input: Input, { env }: Terminal): string | undefined => {
  if (input.flag("url") && input.flag("store")) throw new UsageError("--url and --store exclude each other")
  return input.text("url") ?? (input.flag("store") ? undefined : env.HANDRAIL_URL)
}

const open = async (input: Input, terminal: Terminal, created: boolean): Promise<Client> => {
  const url = serverOf(input, terminal)
  if (url === undefined) {
    const choice = chosenStore(input, terminal, { created })
    const { Handrail } = await import("../sdk/Handrail.ts")
    return Handrail.open({ ...choice, tenant: input.text("tenant") ?? "default" })
  }
  const apiKey = keyOf(input, terminal.env)
  const { Handrail } = await import("../sdk/Handrail.ts")
  return Handrail.connect({ url, apiKey })
}

const keyOf = (input: Input, env: Terminal["env"]): string | undefined => {
  const file = input.text("api-key-file")
  if (file === undefined) return input.text("api-key") ?? env.HANDRAIL_API_KEY
  if (input.flag("api-key")) throw new UsageError("--api-key and --api-key-file exclude each other")
  try {
    return readFileSync(file, "utf8").trim()
  } catch (error) {
    throw new UsageError(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** With the operator that the journal names where there is no key to name it. */
export const actingOptions = (input: Input): CallOptions => ({ operator: input.text("operator") ?? userName() })

const name = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/
const userName = (): string => {
  try {
    const { username } = userInfo()
    return name.test(username) ? username : "anonymous"
  } catch {
    // A container's user may have no name.
    return "anonymous"
  }
}
