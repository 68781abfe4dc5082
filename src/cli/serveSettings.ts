/**
 * What `serve` is told: on the command line, in the environment, in a file, in this order. The file has the names of the
 * options, and a name that is none is a mistake, like everywhere.
 */
import { readFileSync } from "node:fs"
import { makeReporter } from "../definition/Diagnostic.ts"
import { didYouMean } from "../definition/suggest.ts"
import { toJson } from "../definition/tree.ts"
import { parseYaml } from "../definition/yaml.ts"
import { UsageError } from "./Command.ts"
import { Input } from "./Input.ts"
import { defaultStore, type StoreChoice, storeOf } from "./store.ts"

export const logForms = ["text", "json", "none"] as const
export type LogForm = (typeof logForms)[number]

export interface ServeSettings {
  readonly store: StoreChoice
  readonly host: string
  readonly port: number
  readonly log: LogForm
  readonly synchronous: "full" | "normal"
  readonly cors: ReadonlyArray<string>
  /** Commands per second of one key; 0 is no limit. Undefined leaves the default. */
  readonly rate: number | undefined
  /** How long a stop waits for what is under way, in seconds. */
  readonly grace: number
}

export const settingNames = ["store", "schema", "host", "port", "log", "synchronous", "cors", "rate", "grace"] as const

const defaultPort = 4000
const mostPort = 65_535
const defaultGrace = 10
const synchronousForms = ["full", "normal"] as const

/** Throws `UsageError`. */
export const settingsOf = (given: Input, env: Readonly<Record<string, string | undefined>>): ServeSettings => {
  const file = given.text("config")
  const configured = file === undefined ? new Input([], new Map()) : fromFile(file)
  const from = (name: (typeof settingNames)[number]): Input => (given.flag(name) ? given : configured)
  const store = given.text("store") ?? env.HANDRAIL_STORE ?? configured.text("store") ?? defaultStore
  const port = from("port").count("port") ?? defaultPort
  if (port > mostPort) throw new UsageError(`--port is 0 to ${mostPort}, not ${port}`)
  return {
    store: storeOf({ store, schema: from("schema").text("schema") }, { created: true }),
    host: from("host").text("host") ?? "127.0.0.1",
    port,
    log: from("log").choice("log", logForms) ?? "text",
    synchronous: from("synchronous").choice("synchronous", synchronousForms) ?? "full",
    cors: from("cors").list("cors"),
    rate: from("rate").count("rate"),
    grace: from("grace").count("grace") ?? defaultGrace,
  }
}

/** YAML, and so JSON too. Its values are read as if they had been typed. */
const fromFile = (file: string): Input => {
  const { report, all } = makeReporter()
  const root = parseYaml(file, textOf(file), report)
  const [problem] = all(file)
  if (problem !== undefined) throw new UsageError(`${file}:${problem.line}:${problem.column}: ${problem.message}`)
  const values = new Map<string, ReadonlyArray<string>>()
  for (const { key, value } of root?.entries ?? []) {
    const name = settingNames.find((known) => known === key)
    if (name === undefined)
      throw new UsageError(`${file} has ${key}, which is no setting`, didYouMean(key, settingNames))
    const json = toJson(value)
    const items = Array.isArray(json) && name === "cors" ? json : [json]
    values.set(
      name,
      items.map((item) => {
        if (typeof item === "string" || typeof item === "number") return String(item)
        throw new UsageError(`${file}: ${name} is a text or a number`)
      }),
    )
  }
  return new Input([], values)
}

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new UsageError(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}
