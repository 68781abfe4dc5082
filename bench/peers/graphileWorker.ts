/**
 * graphile-worker: a job is added, its task records the step, the job is completed.
 *
 * Set as its page on performance sets it: 24 jobs at once, a local queue to which jobs come in batches, completions that are
 * gathered (`completeJobBatchDelay: 0`). One client alone gets neither of the last two: both cost time where there is nothing to
 * gather. It announces a completed job without waiting for the commit that says so; a lifecycle here ends with the
 * announcement, which is in its favour.
 */
import { EventEmitter } from "node:events"
import { Logger, run } from "graphile-worker"
import type { PeerRequest } from "../peerProtocol.ts"
import type { Opened } from "../subject.ts"
import { openSteps, Waiting } from "./steps.ts"

const task = "bench"
const maxJobsAtOnce = 24
const gathered = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }

export async function graphileWorker(request: PeerRequest): Promise<Opened> {
  const { url, schema, clients } = request
  const jobsAtOnce = Math.min(clients, maxJobsAtOnce)
  const steps = await openSteps(request, jobsAtOnce)
  const waiting = new Waiting()
  const events = new EventEmitter()
  const runner = await run({
    connectionString: url,
    schema,
    concurrency: jobsAtOnce,
    maxPoolSize: jobsAtOnce + 1,
    noHandleSignals: true,
    logger: new Logger(() => (level, message) => {
      if (level === "error") process.stderr.write(`graphile-worker: ${message}\n`)
    }),
    events,
    taskList: { [task]: (_, { job }) => steps.record(job.id) },
    ...(clients > 1 && { preset: { worker: gathered } }),
  })
  // A job may be done before its sender knows what it is called: then its name waits for the sender.
  const early = new Set<string>()
  const expected = new Set<string>()
  events.on("job:complete", ({ job }: { job: { id: string } }) => {
    if (expected.delete(job.id)) waiting.settle(job.id)
    else early.add(job.id)
  })
  return {
    lifecycle: async () => {
      const { id } = await runner.addJob(task, { task: "scan" })
      if (early.delete(id)) return
      expected.add(id)
      await waiting.wait(id)
    },
    close: async () => {
      await runner.stop()
      await steps.close()
    },
  }
}
