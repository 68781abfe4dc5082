/**
 * Disks that fail under load: a filesystem that runs full and is freed again, under SQLite and under a Postgres server, and I/O
 * errors at any write (a limit on the size of files). What needs the disk is told `storage_unavailable` meanwhile; nothing that
 * was acknowledged is lost, and every process goes on by itself when there is space again.
 */
import { existsSync, statSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { withClient } from "../postgres/database.ts"
import { PostgresServer } from "../postgres/PostgresServer.ts"
import type { AgentProcess } from "./AgentProcess.ts"
import type { Random } from "./Random.ts"
import { acknowledgements, count, emptyRace, goesOn, type RaceSummary, raceRound, rounds } from "./raceRounds.ts"
import { limitFileSize, SmallDisk } from "./SmallDisk.ts"
import { filenameOf, postgresStores, sqliteStores } from "./stores.ts"

/** `full`: a full filesystem under SQLite; `io`: writes that fail; `server`: a full filesystem under Postgres. */
export type DiskKind = "full" | "io" | "server"
export interface DiskOptions {
  readonly kinds: ReadonlyArray<DiskKind>
  readonly seed: number
  readonly rounds: number
  readonly blows: number
  readonly until: number
  readonly progress?: (summary: RaceSummary) => void
}

/** What can be done here, and why not what can't. */
export const diskKinds = (): {
  readonly possible: ReadonlyArray<DiskKind>
  readonly missing: ReadonlyArray<string>
} => {
  const disk = SmallDisk.mount(1)
  disk?.remove()
  const limits = limitFileSize(process.pid, "unlimited")
  return {
    possible: [...(disk === undefined ? [] : (["full", "server"] as const)), ...(limits ? (["io"] as const) : [])],
    missing: [
      ...(disk === undefined ? ["full, server: a small filesystem can't be mounted; that needs to be allowed to"] : []),
      ...(limits ? [] : ["io: there is no prlimit here (util-linux)"]),
    ],
  }
}

export const diskRounds = (options: DiskOptions): Promise<RaceSummary> => {
  const summary = emptyRace()
  return rounds(options, summary, async (index) => {
    const kind = options.kinds[index % options.kinds.length]
    const seed = options.seed + index
    if (kind === "full") await fullRound(options, seed, summary)
    if (kind === "io") await ioRound(options, seed, summary)
    if (kind === "server") await serverRound(options, seed, summary)
  })
}

const race = { processes: 2, lanes: 3, restMs: 5, busyTimeoutMs: 1000, timeoutMs: 2000 } as const
const sqliteMb = 40
const serverMb = 180

const mounted = (megabytes: number): SmallDisk => {
  const disk = SmallDisk.mount(megabytes)
  if (disk === undefined) throw new Error("a small filesystem can't be mounted")
  return disk
}

const fullRound = async (options: DiskOptions, seed: number, summary: RaceSummary): Promise<void> => {
  const disk = mounted(sqliteMb)
  const store = await sqliteStores(disk.path)()
  const disturb = async (agents: ReadonlyArray<AgentProcess>, random: Random): Promise<void> => {
    for (let n = 0; n < options.blows; n++) {
      await sleep(random.between(50, 500))
      disk.fill(random.pick([0, 20_000, 300_000]) ?? 0)
      await refusedFor(agents, random, "full", summary)
      disk.free()
      await allGoOn(agents)
    }
  }
  await raceRound({ ...race, store: store.url, seed, disturb, mend: () => Promise.resolve(disk.free()) }, summary)
  // A store with a problem is kept, where it is.
  if (summary.problems.length === 0) disk.remove()
}

const ioRound = async (options: DiskOptions, seed: number, summary: RaceSummary): Promise<void> => {
  const store = await sqliteStores()()
  const filename = filenameOf(store.url) ?? ""
  const limit = (agents: ReadonlyArray<AgentProcess>, bytes: number | "unlimited"): void => {
    for (const agent of agents) if (!agent.isOver) limitFileSize(agent.pid, bytes)
  }
  const disturb = async (agents: ReadonlyArray<AgentProcess>, random: Random): Promise<void> => {
    try {
      for (let n = 0; n < options.blows; n++) {
        await sleep(random.between(50, 500))
        const struck = random.chance(50)
          ? agents
          : [random.pick(agents) ?? agents[0]].filter((one) => one !== undefined)
        // The file that grows with every commit is the log; the database itself does when the log is carried over.
        const file = random.chance(70) ? `${filename}-wal` : filename
        const size = existsSync(file) ? statSync(file).size : 0
        limit(struck, Math.max(0, size - random.below(3) * random.below(200_000)))
        await refusedFor(struck, random, "io", summary)
        limit(struck, "unlimited")
        await allGoOn(agents)
      }
    } finally {
      limit(agents, "unlimited")
    }
  }
  await raceRound({ ...race, store: store.url, seed, disturb }, summary)
  if (summary.problems.length === 0) await store.remove()
}

const serverRound = async (options: DiskOptions, seed: number, summary: RaceSummary): Promise<void> => {
  const disk = mounted(serverMb)
  const server = await PostgresServer.start({
    fsync: true,
    parent: disk.path,
    settings: ["max_wal_size=32MB", "min_wal_size=32MB", "shared_buffers=8MB"],
  })
  const store = await postgresStores(server.url())()
  const disturb = async (agents: ReadonlyArray<AgentProcess>, random: Random): Promise<void> => {
    for (let n = 0; n < options.blows; n++) {
      await sleep(random.between(50, 500))
      disk.fill(random.pick([0, 0, 100_000]) ?? 0)
      await refusedFor(agents, random, "server", summary)
      disk.free()
      await serves(server, summary)
      await allGoOn(agents)
    }
  }
  await raceRound({ ...race, store: store.url, seed, disturb, mend: () => Promise.resolve(disk.free()) }, summary)
  await server.remove()
  disk.remove()
}

/** A server whose log found no space has ended; whoever runs it starts it again. */
const serves = async (server: PostgresServer, summary: RaceSummary): Promise<void> => {
  for (let n = 0; n < 20; n++) {
    const answered = await withClient(server.url(), (client) => client.query("select 1")).then(
      () => true,
      () => false,
    )
    if (answered) return
    await sleep(100)
  }
  count(summary, "server restarts")
  await server.kill()
  await server.restart()
}

const unavailable = (agents: ReadonlyArray<AgentProcess>): number =>
  agents.reduce(
    (total, agent) =>
      total + agent.lines.filter((line) => line.t === "no" && line.code === "storage_unavailable").length,
    0,
  )
/** Not every blow is felt: what is written may find room in what was there already. */
const feltMs = 3000

const refusedFor = async (
  agents: ReadonlyArray<AgentProcess>,
  random: Random,
  kind: DiskKind,
  summary: RaceSummary,
): Promise<void> => {
  const before = unavailable(agents)
  const until = Date.now() + feltMs
  while (unavailable(agents) === before && Date.now() < until) await sleep(20)
  count(summary, unavailable(agents) === before ? `${kind} unnoticed` : kind)
  await sleep(random.between(0, 400))
}

const allGoOn = async (agents: ReadonlyArray<AgentProcess>): Promise<void> => {
  const before = agents.map(acknowledgements)
  for (const [index, agent] of agents.entries()) await goesOn(agent, before[index] ?? 0)
}
