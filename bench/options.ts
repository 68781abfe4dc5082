/** The command line of the benchmarks. What it does not know it refuses, and says what it does know. */
import { existsSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, resolve } from "node:path"
import type { Benchmark, Store } from "./benchmark.ts"

export interface Options {
  readonly json: string | undefined
  /** Names or beginnings of names (`sqlite`, `sqlite.128`); empty means all. */
  readonly only: readonly string[]
  /** Only what runs on one of these; empty means all, with what needs no store. */
  readonly stores: readonly Store[]
  /** Whether the peers are measured too: they are a package of their own, which is installed when it is missing. */
  readonly peers: boolean
  /** Only what goes through a socket. */
  readonly http: boolean
  readonly quick: boolean
  /** Length of one measured slice. */
  readonly seconds: number
  readonly rounds: number
  readonly dir: string
}

export type Parsed =
  | { readonly kind: "run"; readonly options: Options }
  | { readonly kind: "help" }
  | { readonly kind: "mistake"; readonly message: string }

// Short slices and many rounds: the disk of a shared machine slows for seconds at a time, and a slice of the floor and one
// of the system that lie close together meet the same disk.
const usual = { seconds: 0.5, rounds: 15 }
const quickly = { seconds: 0.25, rounds: 3 }
const allStores: readonly Store[] = ["memory", "sqlite", "postgres"]
const maxSeconds = 600
const maxRounds = 100

export function helpText(names: readonly string[]): string {
  return `npm run bench -- [options]

Measures the runtime and the floors beneath it in turn, in one run, and prints medians and ratios.

  --json FILE     write every figure under its stable name (see BENCHMARKS.md)
  --store NAME    only what runs on this store (${allStores.join(", ")}); may be repeated
  --peers         also what a user would pick instead, on Postgres; installs bench/peers when it is missing
  --http          only what goes through a socket: the HTTP API, and event streams
  --only NAME     only this benchmark, or those whose name begins so (sqlite, floor.promise); may be repeated
  --quick         slices of ${quickly.seconds} s and ${quickly.rounds} rounds, a shorter history: to see that it runs, not to quote
  --seconds N     length of one measured slice (${usual.seconds}); the warm-up comes on top
  --rounds N      measured rounds of each benchmark (${usual.rounds}); one more comes first and is thrown away
  --dir DIR       where the files go (the system's folder for temporary files); must be on a real disk

Postgres is the server of DATABASE_URL, or one of its own in DIR.
  --help          this text

Benchmarks: ${names.join(", ")}
`
}

export function parse(argv: readonly string[], benchmarks: readonly Benchmark[]): Parsed {
  const names = benchmarks.map(({ name }) => name)
  const only: string[] = []
  const stores: Store[] = []
  const flags: { json?: string; seconds?: number; rounds?: number; dir?: string } = {}
  const switches = { quick: false, peers: false, http: false }
  const mistake = (message: string): Parsed => ({ kind: "mistake", message })
  for (let at = 0; at < argv.length; at++) {
    const [flag = "", inline] = splitFlag(argv[at] ?? "")
    if (flag === "--help" || flag === "-h") return { kind: "help" }
    if (flag === "--quick" || flag === "--peers" || flag === "--http") {
      if (inline !== undefined) return mistake(`${flag} takes no value`)
      switches[flag === "--quick" ? "quick" : flag === "--peers" ? "peers" : "http"] = true
      continue
    }
    if (!["--json", "--only", "--store", "--seconds", "--rounds", "--dir"].includes(flag)) {
      return mistake(`unknown ${flag.startsWith("-") ? "option" : "argument"} "${argv[at]}"`)
    }
    const value = inline ?? argv[++at]
    if (value === undefined || value === "" || (inline === undefined && value.startsWith("--"))) {
      return mistake(`${flag} needs a value`)
    }
    const wrong = take(flag, value)
    if (wrong !== undefined) return mistake(wrong)
  }
  const base = switches.quick ? quickly : usual
  const options: Options = {
    json: flags.json,
    only,
    stores,
    ...switches,
    seconds: flags.seconds ?? base.seconds,
    rounds: flags.rounds ?? base.rounds,
    dir: flags.dir ?? tmpdir(),
  }
  if (switches.peers && switches.http) return mistake("--peers and --http are measured one after the other")
  if (switches.peers && stores.length > 0 && !stores.includes("postgres")) return mistake("the peers run on Postgres")
  return benchmarks.some((benchmark) => isWanted(benchmark, options))
    ? { kind: "run", options }
    : mistake("--store and --only together leave nothing to measure; the peers need --peers, http needs --http")

  /** Says what is wrong with the value, if anything is: now, rather than after minutes of measuring. */
  function take(flag: string, value: string): string | undefined {
    if (flag === "--only") {
      only.push(value)
      return names.some((name) => isChosen(name, [value]))
        ? undefined
        : `no benchmark is called "${value}"; there are: ${names.join(", ")}`
    }
    if (flag === "--store") {
      const store = allStores.find((name) => name === value)
      if (store !== undefined) stores.push(store)
      return store === undefined ? `no store is called "${value}"; there are: ${allStores.join(", ")}` : undefined
    }
    if (flag === "--json") {
      flags.json = resolve(value)
      if (!isDirectory(dirname(flags.json))) return `--json ${value}: its folder does not exist`
      return isDirectory(flags.json) ? `--json ${value}: is a folder` : undefined
    }
    if (flag === "--dir") {
      flags.dir = resolve(value)
      return isDirectory(flags.dir) ? undefined : `--dir ${value}: is not a folder`
    }
    const number = Number(value)
    if (flag === "--seconds") {
      flags.seconds = number
      return number > 0 && number <= maxSeconds
        ? undefined
        : `--seconds must be above 0 and at most ${maxSeconds}, not "${value}"`
    }
    flags.rounds = number
    return Number.isInteger(number) && number >= 1 && number <= maxRounds
      ? undefined
      : `--rounds must be a whole number from 1 to ${maxRounds}, not "${value}"`
  }
}

export function isWanted({ name, store, needs }: Benchmark, { only, stores, peers, http }: Options): boolean {
  if (http ? needs !== "http" : needs === "http" || (needs === "peers" && !peers)) return false
  return isChosen(name, only) && (stores.length === 0 || (store !== undefined && stores.includes(store)))
}

/** A name chooses itself and all that it is the beginning of, whole parts only: `sqlite.1` does not choose `sqlite.128`. */
function isChosen(name: string, only: readonly string[]): boolean {
  return only.length === 0 || only.some((chosen) => name === chosen || name.startsWith(`${chosen}.`))
}

function splitFlag(argument: string): [flag: string, value?: string] {
  const equals = argument.indexOf("=")
  return argument.startsWith("--") && equals > 0 ? [argument.slice(0, equals), argument.slice(equals + 1)] : [argument]
}

function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory()
}
