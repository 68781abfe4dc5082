/**
 * Ten workers over one queue of handoffs, with one purse.
 *
 * A manager offers thirty texts. Ten workers claim whatever is open; one of them dies. The money runs out before the end: every
 * worker stops where it is, an operator raises the limit, and the rest is done. Run it: npm run example:swarm
 */
import { join } from "node:path"
import { Handrail, replay, type Ticket, WorkflowError } from "handrail"
import { ScriptedModel } from "../scripted-model/ScriptedModel.ts"
import { readArguments } from "../shared/folder.ts"
import { ledgerOf, money } from "../shared/show.ts"
import { script } from "./script.ts"
import { work } from "./worker.ts"

const { folder } = readArguments("swarm")
await using model = await ScriptedModel.start(script)
await using runtime = await Handrail.open({ store: `sqlite:${join(folder, "handrail.db")}` })
const workflowId = "translate-30"
const texts = Array.from({ length: 30 }, (_, index) => `text ${index + 1}`)
const startedAt = performance.now()

await using manager = replay(null, {
  agent: "manager",
  contractsDir: join(import.meta.dirname, "governance/manager"),
  tools: {},
  workflow: { type: "root", workflowId, role: "manager" },
  runtime,
})
await manager.ready()

// The operator looks when a worker says that there is no money, and waits until every worker that lives has said so.
const living = 9
const waiting: Array<() => void> = []
const outOfMoney = (worker: string): Promise<void> =>
  new Promise((goOn) => {
    waiting.push(goOn)
    if (waiting.length === 1) console.log(`${worker} is refused: limit_exceeded. It stops, and so do the others.`)
    if (waiting.length === living) void operate()
  })

const team = { runtime, workflowId, managerId: manager.sessionId, modelUrl: model.openaiUrl, folder, outOfMoney }
const workers = Array.from({ length: 10 }, (_, index) => work(`worker-${index}`, team, { dies: index === 0 }))
const [tallies] = await Promise.all([Promise.all(workers), manage()])

const seconds = (performance.now() - startedAt) / 1000
console.log("\nworker      done  lost to others")
for (const { name, done, lost } of tallies)
  console.log(`${name.padEnd(10)} ${String(done).padStart(5)} ${String(lost).padStart(15)}`)
const done = tallies.reduce((sum, tally) => sum + tally.done, 0)
console.log(`\n${done} texts in ${seconds.toFixed(1)} s: ${(done / seconds).toFixed(1)} a second\n`)
console.log(ledgerOf(await runtime.getWorkflow(workflowId)))
console.log(`\nThe journal and the translations are in ${folder}`)

/** Offers every text. Where too many are open it waits until one has ended. */
async function manage(): Promise<void> {
  const open = new Map<string, Promise<string>>()
  for (const [index, text] of texts.entries()) {
    const ticket = await offered(`text-${index + 1}`, text, open)
    const end = ended(ticket)
    // Where it rejects, whoever waits for it is told.
    end.catch(() => {})
    open.set(ticket.handoffId, end)
  }
  await Promise.all(open.values())
  await manager.complete()
}

async function offered(handoffId: string, text: string, open: Map<string, Promise<string>>): Promise<Ticket> {
  for (;;) {
    try {
      return await manager.handoff({ toRole: "translator", handoffId, summary: { text } })
    } catch (error) {
      if (!(error instanceof WorkflowError) || error.code !== "limit_exceeded") throw error
      open.delete(await Promise.race(open.values()))
    }
  }
}

/** Waits for the end of a handoff, over its reclaims. */
async function ended(ticket: Ticket): Promise<string> {
  const { handoffId, status, generation, reason } = await manager.awaitHandoff(ticket)
  if (status !== "completed") throw new Error(`${handoffId} has ${status}: ${reason}`)
  if (generation > 1) console.log(`${handoffId} was done in generation ${generation}: its first worker died`)
  return handoffId
}

/** The operator: everything is at rest, so the ledger says exactly what was spent. */
async function operate(): Promise<void> {
  const { ledger } = await runtime.getWorkflow(workflowId)
  console.log(`Spent ${money(ledger.cost.used)} of ${money(ledger.cost.max)}, reserved ${money(ledger.cost.reserved)}.`)
  console.log("The operator raises the limit to 0.60.")
  await runtime.raiseLimits({ workflowId, limits: { maxCost: 0.6 } }, { operator: "ann" })
  for (const goOn of waiting.splice(0)) goOn()
}
