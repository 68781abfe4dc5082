/**
 * The load on the commands: on each connection one lifecycle after the other, in a workflow of its own, each command sent when
 * the one before was answered. The times are those of single commands.
 */
import { latencies, type Sample, warmUpSeconds } from "../measure.ts"
import { Connection } from "./Connection.ts"
import { type Address, apiPrefix, type CommandsOrder } from "./protocol.ts"

const call = { tool: "scan", arguments: { path: "src/index.ts", depth: 3 }, estimated_cost: 0.02 }
const summary = { task: "scan", change: "change-42", note: "look at what the change touches and say what is risky" }
const result = { findings: 3, worst: "medium" }

export const workflowYaml = `
schema_version: "1.0"
workflow: bench
roles:
  - { name: lead, root: true }
  - { name: worker, default_cost: 0.01 }
handoffs:
  - { from: lead, to: worker, claim_timeout: 2m, offer_timeout: 1h, completion: requires_progress }
limits: { max_sessions: 100000000, max_active_sessions: 100000, max_cost: 100000000 }
`

/** As long as the real ones. */
const madeUp = {
  session_id: "s_01jd3x7k9f0c8wq2m5n7v4t6ra",
  session_token: "hrs_WJdmf7MUGxKJq4hXhdNnCw0IeK5aVY3oZdM9PRu2Qyk.s_01jd3x7k9f0c8wq2m5n7v4t6ra",
  handoff_id: "h_01jd3x7k9f0c8wq2m5n7v4t6ra",
  steps: [{ step_id: "st_01jd3x7k9f0c8wq2m5n7v4t6ra" }],
}
type Ids = typeof madeUp

/** Answers what the server said of ids. */
type Send = (path: string, body: object, token?: string) => Promise<Ids>

export interface Measured {
  readonly sample: Sample
  readonly commands: number
}

export const commands = async (order: CommandsOrder, warm: () => void): Promise<Measured> => {
  const { address, seconds } = order
  const connections: Connection[] = []
  try {
    for (let opened = 0; opened < order.connections; opened++)
      connections.push(await Connection.open(address.port, address.key))
    const taken: number[] = []
    const measuredFrom = performance.now() + warmUpSeconds(seconds) * 1000
    const measuredUntil = measuredFrom + seconds * 1000
    let isWarm = false
    let isOver = false
    const timed = async (connection: Connection, ...request: Parameters<Send>): Promise<Ids> => {
      const before = performance.now()
      const ids = await sent(address, connection, ...request)
      const after = performance.now()
      if (after < measuredFrom || after >= measuredUntil) return ids
      if (!isWarm) {
        isWarm = true
        warm()
      }
      taken.push(after - before)
      return ids
    }
    const loop = async (connection: Connection, index: number): Promise<void> => {
      const send: Send = (...request) => timed(connection, ...request)
      const workflow = { type: "root", workflow_id: `wf-${index}`, role: "lead", definition: workflowYaml }
      const root = await send("/sessions", { agent: "lead", workflow })
      while (performance.now() < measuredUntil && !isOver) await lifecycle(send, root, workflow.workflow_id)
    }
    await Promise.all(
      connections.map((connection, index) =>
        loop(connection, index).catch((error: unknown) => {
          isOver = true
          throw error
        }),
      ),
    )
    return { sample: latencies(taken, taken.length / seconds, "commands_per_s"), commands: taken.length }
  } finally {
    for (const connection of connections) connection.close()
  }
}

const lifecycle = async (send: Send, root: Ids, workflowId: string): Promise<void> => {
  const offered = await send(
    `/sessions/${root.session_id}/handoffs`,
    { to_role: "worker", summary },
    root.session_token,
  )
  const child = {
    ...{ type: "child", workflow_id: workflowId, role: "worker" },
    ...{ parent_session_id: root.session_id, handoff_id: offered.handoff_id },
  }
  const { session_id, session_token } = await send("/sessions", { agent: "worker", workflow: child })
  const { steps } = await send(`/sessions/${session_id}/proposals`, { calls: [call] }, session_token)
  const receipts = [{ step_id: steps[0]?.step_id, outcome: "committed", actual_cost: 0.02 }]
  await send(`/sessions/${session_id}/receipts`, { receipts }, session_token)
  await send(`/sessions/${session_id}/complete`, { result }, session_token)
}

/** A refusal is not a fast answer, it is a mistake of the benchmark. */
const sent = async (
  { isEcho }: Address,
  connection: Connection,
  path: string,
  body: object,
  token?: string,
): Promise<Ids> => {
  const answer = await connection.post(apiPrefix + path, JSON.stringify(body), token)
  if (answer.status >= 300) throw new Error(`${path} was answered ${answer.status}: ${answer.body}`)
  const said = JSON.parse(answer.body)
  return isEcho ? madeUp : said
}
