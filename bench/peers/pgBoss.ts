/**
 * pg-boss: a job is sent, fetched, its step is recorded, the job is completed.
 *
 * `work()` is what its documentation begins with, and it waits for its polling interval (half a second at least) between two
 * fetches. So the fetching is done as `work()` does it, with the documented `fetch()` and `complete()`, but without the pauses: a
 * fetcher that finds nothing sleeps until the next job has been sent. Jobs are fetched and completed in batches, and without
 * regard to priorities, which the documentation names as the faster order. The keepers of schedules and old jobs are off.
 */
import { randomUUID } from "node:crypto"
import PgBoss from "pg-boss"
import type { PeerRequest } from "../peerProtocol.ts"
import type { Opened } from "../subject.ts"
import { openSteps, Waiting } from "./steps.ts"

const queue = "bench"
const maxConnections = 32
const maxFetchers = 4

export async function pgBoss(request: PeerRequest): Promise<Opened> {
  const { url, schema, clients } = request
  const boss = new PgBoss({
    connectionString: url,
    schema,
    max: Math.min(clients, maxConnections),
    supervise: false,
    schedule: false,
  })
  boss.on("error", (error) => process.stderr.write(`pg-boss: ${error.message}\n`))
  await boss.start()
  await boss.createQueue(queue)
  const steps = await openSteps(request, Math.min(clients, maxConnections))

  const waiting = new Waiting()
  const idle = new Set<() => void>()
  let closing = false
  const batchSize = Math.max(1, Math.ceil(clients / maxFetchers))
  const fetcher = async (): Promise<void> => {
    while (!closing) {
      // Registered before the fetch: a job that is sent meanwhile must not be missed.
      const sent = new Promise<void>((wake) => idle.add(wake))
      const jobs = await boss.fetch(queue, { batchSize, priority: false })
      if (jobs.length === 0) {
        await sent
        continue
      }
      await Promise.all(jobs.map(({ id }) => steps.record(id)))
      await boss.complete(
        queue,
        jobs.map(({ id }) => id),
      )
      for (const { id } of jobs) waiting.settle(id)
    }
  }
  const wakeAll = (): void => {
    for (const wake of idle) wake()
    idle.clear()
  }
  const fetchers = Array.from({ length: Math.min(clients, maxFetchers) }, fetcher)
  return {
    lifecycle: async () => {
      const id = randomUUID()
      const done = waiting.wait(id)
      await boss.send(queue, { task: "scan" }, { id })
      wakeAll()
      await done
    },
    close: async () => {
      closing = true
      wakeAll()
      await Promise.all(fetchers)
      await boss.stop({ graceful: false, wait: true })
      await steps.close()
    },
  }
}
