/**
 * What happens to a database under load: the server is killed and started again, frozen, its backends are terminated, and the
 * connections to it are cut, refused, or swallow the answers of what was carried out. Several processes work through a proxy
 * meanwhile; nothing that was acknowledged is lost, and every process goes on by itself.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { withClient } from "../postgres/database.ts"
import type { PostgresServer } from "../postgres/PostgresServer.ts"
import type { AgentProcess } from "./AgentProcess.ts"
import type { Random } from "./Random.ts"
import { acknowledgements, count, emptyRace, goesOn, type RaceSummary, raceRound, rounds } from "./raceRounds.ts"
import { postgresStores } from "./stores.ts"
import { TcpProxy } from "./TcpProxy.ts"

export interface PostgresRoundOptions {
  readonly server: PostgresServer
  readonly seed: number
  readonly rounds: number
  readonly blows: number
  readonly until: number
  readonly progress?: (summary: RaceSummary) => void
}

export const postgresRounds = (options: PostgresRoundOptions): Promise<RaceSummary> => {
  const summary = emptyRace()
  const { server } = options
  return rounds(options, summary, async (index) => {
    const store = await postgresStores(server.url())()
    const proxy = await TcpProxy.start(server.port)
    const near = new URL(store.url)
    near.port = String(proxy.port)
    await raceRound(
      {
        store: near.href,
        judgedAt: store.url,
        seed: options.seed + index,
        processes: 3,
        lanes: 3,
        restMs: 8,
        timeoutMs: 1500,
        disturb: async (agents, random) => {
          for (let n = 0; n < options.blows; n++) await blow(agents, random, server, proxy, summary)
        },
      },
      summary,
    )
    await proxy.close()
    if (summary.problems.length === 0) await store.remove()
  })
}

const weights = { kill: 3, freeze: 2, terminate: 4, cut: 4, refuse: 2, swallow: 4 } as const

const blow = async (
  agents: ReadonlyArray<AgentProcess>,
  random: Random,
  server: PostgresServer,
  proxy: TcpProxy,
  summary: RaceSummary,
): Promise<void> => {
  await sleep(random.between(50, 800))
  const name = random.weighted(weights)
  count(summary, name)
  switch (name) {
    case "kill":
      await server.kill()
      await sleep(random.between(0, 500))
      await server.restart()
      break
    case "freeze":
      server.signal("SIGSTOP")
      await sleep(random.between(100, 2500))
      server.signal("SIGCONT")
      break
    case "terminate":
      await withClient(server.url(), (client) =>
        client.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null",
        ),
      )
      break
    case "cut":
      proxy.cut()
      break
    case "refuse":
      proxy.refuse(true)
      proxy.cut()
      await sleep(random.between(50, 1000))
      proxy.refuse(false)
      break
    case "swallow":
      proxy.swallow()
      await sleep(random.between(20, 300))
      proxy.cut()
  }
  const before = agents.map(acknowledgements)
  for (const [index, agent] of agents.entries()) await goesOn(agent, before[index] ?? 0)
}
