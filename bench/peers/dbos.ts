/**
 * DBOS: a workflow with one recorded step, taken to its end, started directly and through a queue.
 *
 * Direct: the workflow is called in this process, which hears of its end itself. Queue: it is enqueued, found by the queue's
 * dispatcher, and its end read from the database. Dispatcher and reader poll, once a second unless told otherwise; the documented
 * `minPollingIntervalMs` and `pollingIntervalMs` are set to what was best, longer under load because every read costs the server
 * too. The pool of its database has twice the ten connections of the default, which was not ranked. No traces, no logs.
 */
import { DBOS } from "@dbos-inc/dbos-sdk"
import type { PeerRequest } from "../peerProtocol.ts"
import type { Opened } from "../subject.ts"

const queueName = "bench"
const connections = 20
const pollingMs = { alone: 5, together: 10 }

const body = "x".repeat(200)

const workflow = DBOS.registerWorkflow(async (): Promise<string> => DBOS.runStep(async () => body, { name: "scan" }), {
  name: "bench",
})

export async function dbosDirect(request: PeerRequest): Promise<Opened> {
  await launch(request)
  return {
    lifecycle: async () => {
      await workflow()
    },
    close: () => DBOS.shutdown(),
  }
}

export async function dbosQueue(request: PeerRequest): Promise<Opened> {
  await launch(request)
  const interval = request.clients === 1 ? pollingMs.alone : pollingMs.together
  await DBOS.registerQueue(queueName, { minPollingIntervalMs: interval })
  const lifecycle = async (): Promise<void> => {
    const handle = await DBOS.startWorkflow(workflow, { queueName })()
    await handle.getResult({ pollingIntervalMs: interval })
  }
  // The dispatcher looks for new queues once a second only, whatever the interval: that wait is no part of the load.
  await lifecycle()
  return { lifecycle, close: () => DBOS.shutdown() }
}

async function launch({ url, schema }: PeerRequest): Promise<void> {
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: url,
    systemDatabaseSchemaName: schema,
    systemDatabasePoolSize: connections,
    logger: {
      info: () => {},
      debug: () => {},
      warn: () => {},
      error: (entry) => process.stderr.write(`dbos: ${String(entry)}\n`),
    },
  })
  await DBOS.launch()
}
