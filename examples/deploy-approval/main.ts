/**
 * A deployment that waits for a person, while the agent that wants it dies and comes back.
 *
 * This program plays the operator: it starts the agent as a process of its own, kills it, starts it again, and decides on what
 * the agent asks for. Run it: npm run example:deploy-approval
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { Handrail } from "handrail"
import { StaleFenceError } from "handrail/fences"
import { ScriptedModel } from "../scripted-model/ScriptedModel.ts"
import { readArguments } from "../shared/folder.ts"
import { script } from "./script.ts"
import { liveVersion, putLive } from "./target.ts"

const { folder } = readArguments("deploy-approval")
const workflowId = "deploy-7"
const ann = { operator: "ann" }
await using model = await ScriptedModel.start(script)
await using operator = await Handrail.open({ store: `sqlite:${join(folder, "handrail.db")}` })

console.log("1. The agent asks to deploy 1.4.2. While it waits, it is killed.")
let agent = await start()
// The second answer of the model is the one that asks for the deployment.
const saved = once(agent, "message").then(() => once(agent, "message"))
const first = await nextApproval("1.4.2")
await saved
agent.kill("SIGKILL")
await once(agent, "exit")
const { approvals } = await operator.getWorkflow(workflowId)
console.log(`  in the store: ${approvals.map(({ tool, arguments: args }) => `${tool} ${JSON.stringify(args)}`).join()}`)

console.log(
  "2. It comes back, and its call goes on waiting. Ann approves; the agent dies before it can say that it has deployed.",
)
agent = await start("dies-after-write")
const dead = once(agent, "exit")
await operator.approveStep({ workflowId, stepId: first, reason: "1.4.2 was reviewed" }, ann)
await dead
console.log(`  live: ${await liveVersion(folder, "production")}`)

console.log("3. It comes back, looks at the target, and goes on with 1.4.3. Ann approves.")
agent = await start()
const ended = once(agent, "exit")
await operator.approveStep({ workflowId, stepId: await nextApproval("1.4.3"), reason: "1.4.3 was reviewed" }, ann)

console.log("4. It asks for 2.0.0. Ann says no, and the model is told why.")
await operator.rejectStep(
  { workflowId, stepId: await nextApproval("2.0.0"), reason: "not before the freeze ends" },
  ann,
)
const [code] = await ended

console.log("5. A writer from the past comes late, with the token of the first deployment.")
const late = putLive(folder, "production", "1.4.2", { name: "environment", key: "production", token: 1 })
await late.catch((error: unknown) => {
  if (!(error instanceof StaleFenceError)) throw error
  console.log(`  refused: token 1 is stale, ${error.newest} was seen`)
})
const { status } = await operator.getWorkflow(workflowId)
console.log(
  `\nThe workflow has ${status}, live is ${await liveVersion(folder, "production")}. All of it is in ${folder}`,
)
process.exitCode = typeof code === "number" ? code : 1

/** Starts the agent, and waits until it has its session. */
async function start(...mishap: ReadonlyArray<string>): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "agent.ts"), [folder, model.openaiUrl, ...mishap], {
    execArgv: ["--import", import.meta.resolve("../shared/typescript.mjs")],
  })
  const died = once(child, "exit").then(([code]) => {
    throw new Error(`the agent ended with ${code} before it was ready`)
  })
  await Promise.race([once(child, "message"), died])
  died.catch(() => {})
  return child
}

/** Waits until the deployment of a version awaits approval, and answers with its step. */
async function nextApproval(version: string): Promise<string> {
  for await (const { body } of operator.events({ workflowId, signal: AbortSignal.timeout(60_000) })) {
    if (body._tag !== "steps.proposed") continue
    const step = body.steps.find(
      ({ status, arguments: args }) => status === "awaiting_approval" && JSON.stringify(args).includes(version),
    )
    if (step !== undefined) return step.stepId
  }
  throw new Error(`nobody asked for the deployment of ${version} within a minute`)
}
