/**
 * What all campaigns share: their arguments, the build that their processes run, and how they end.
 *
 * `--seconds`, `--rounds` and `--seed`; a campaign ends after that many rounds or seconds, whichever comes first, or at the first
 * problem, whose store is kept. It exits with 1 when there was a problem.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { RaceSummary } from "../../test/crash/raceRounds.ts"
import { postgresStores, type StoreMaker, sqliteStores } from "../../test/crash/stores.ts"
import { PostgresServer } from "../../test/postgres/PostgresServer.ts"

export interface Campaign {
  readonly seed: number
  readonly rounds: number
  /** Epoch ms. */
  readonly until: number
  readonly store: "sqlite" | "postgres"
  readonly only: string | undefined
}

const started = Date.now()
const seconds = (): string => `${Math.round((Date.now() - started) / 1000)} s`

export const begin = (): Campaign => {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "100000" },
      seconds: { type: "string", default: "600" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      store: { type: "string", default: "sqlite" },
      only: { type: "string" },
    },
  })
  const number = (name: "rounds" | "seconds" | "seed"): number => {
    const value = Number(values[name])
    if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number, not ${values[name]}`)
    return value
  }
  const { store, only } = values
  if (store !== "sqlite" && store !== "postgres") throw new Error(`--store is sqlite or postgres, not ${store}`)
  const build = spawnSync(process.execPath, [fileURLToPath(new URL("../build.mjs", import.meta.url))], {
    stdio: "inherit",
  })
  if (build.status !== 0) process.exit(1)
  const seed = number("seed")
  console.log(`seed ${seed}`)
  return { seed, rounds: number("rounds"), until: Date.now() + number("seconds") * 1000, store, only }
}

/** A maker of stores, and a server for them where they need one; the server goes when `use` has ended. */
export const withStores = async <A>({ store }: Campaign, use: (stores: StoreMaker) => Promise<A>): Promise<A> => {
  if (store === "sqlite") return use(sqliteStores())
  return withServer((server) => use(postgresStores(server.url())))
}

export const withServer = async <A>(use: (server: PostgresServer) => Promise<A>): Promise<A> => {
  const server = await PostgresServer.start({ fsync: true })
  try {
    return await use(server)
  } finally {
    await server.remove()
  }
}

/** A campaign that came to nothing must not look like one that found nothing. */
export const problemsOf = ({ rounds, problems }: RaceSummary): ReadonlyArray<string> =>
  rounds === 0 ? [...problems, "no round was carried out: give it more --seconds"] : problems

export const shown = (summary: RaceSummary): string =>
  [
    `${summary.rounds} rounds`,
    ...Object.entries(summary.done).map(([what, times]) => `${times} ${what}`),
    `${summary.operations} operations, ${summary.acknowledged} commands acknowledged, ${summary.unavailable} told storage_unavailable`,
    `${summary.conflicts} appends found their workflow moved on`,
    `${summary.checked} histories linearizable, ${summary.undecided} undecided`,
    `${summary.events} events judged`,
  ].join("; ")

/** Says how it goes, at most every so often. */
export const reporter = <S>(show: (summary: S) => string): ((summary: S) => void) => {
  let last = Date.now()
  return (summary) => {
    if (Date.now() - last < 15_000) return
    last = Date.now()
    console.log(`${seconds()}: ${show(summary)}`)
  }
}

export const end = (text: string, problems: ReadonlyArray<string>, good: string): void => {
  console.log(`${text}; ${seconds()}`)
  for (const problem of problems) console.error(problem)
  console.log(problems.length === 0 ? good : "FAILED")
  process.exitCode = problems.length === 0 ? 0 : 1
}
