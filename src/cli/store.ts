/** The store that a command works on directly: `--store`, the environment, or the file that `serve` uses by default. */
import { existsSync } from "node:fs"
import type { Keys } from "../adapters/http/auth/Keys.ts"
import { type OptionSpec, UsageError } from "./Command.ts"
import type { Input } from "./Input.ts"
import type { Terminal } from "./Terminal.ts"

export const defaultStore = "sqlite:./handrail.db"

export const storeOptions: Readonly<Record<string, OptionSpec>> = {
  store: {
    kind: "text",
    value: "URL",
    describe: `sqlite:PATH or postgres://…; HANDRAIL_STORE keeps its password out of sight (default ${defaultStore})`,
  },
  schema: { kind: "text", value: "NAME", describe: "Postgres: the schema of the tables (default handrail)" },
}

export const tenantOption: Readonly<Record<string, OptionSpec>> = {
  tenant: { kind: "text", value: "ID", describe: "whose (default: default)" },
}

export interface StoreChoice {
  readonly store: string
  readonly schema?: string
}

const form = /^(memory:$|sqlite:.|postgres(ql)?:\/\/)/

/** Throws `UsageError` for what names no store, and for a file that is not there unless it may be `created`. */
export const storeOf = (
  { store, schema }: { readonly store: string; readonly schema: string | undefined },
  { created }: { readonly created: boolean },
): StoreChoice => {
  // Its text may hold a password, and is not repeated.
  if (!form.test(store)) throw new UsageError("a store is sqlite:PATH, postgres://… or, for serve, memory:")
  const path = pathOf(store)
  if (!created && path !== undefined && !existsSync(path))
    throw new UsageError(`there is no store ${path}: name one with --store, or a server with --url`)
  return schema === undefined ? { store } : { store, schema }
}

/** What the options and the environment say. */
export const chosenStore = (
  input: Input,
  { env }: Terminal,
  { created = false }: { readonly created?: boolean } = {},
): StoreChoice => {
  const store = input.text("store") ?? env.HANDRAIL_STORE ?? defaultStore
  if (store === "memory:")
    throw new UsageError("a store in memory is gone with its process, so nothing else can see it")
  return storeOf({ store, schema: input.text("schema") }, { created })
}

/** The file of a SQLite store. */
export const pathOf = (store: string): string | undefined => /^sqlite:(.+)$/s.exec(store)?.[1]

/** The API keys in a store. Close them. */
export const openKeys = async ({ store, schema }: StoreChoice): Promise<Keys> => {
  if (store === "memory:") {
    const { MemoryKeys } = await import("../adapters/http/auth/MemoryKeys.ts")
    return new MemoryKeys()
  }
  const { openPostgresKeys, openSqliteKeys } = await import("../adapters/kysely/keys.ts")
  const path = pathOf(store)
  if (path !== undefined) return openSqliteKeys(path)
  return openPostgresKeys({ url: store, ...(schema === undefined ? {} : { schema }) })
}
