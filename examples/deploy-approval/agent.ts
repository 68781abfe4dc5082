/**
 * The deploying agent, a process of its own. It may die anywhere: started again, it finds its session by the session's id, and
 * its conversation in its memory.
 *
 * Its arguments are the folder that it works in and where its model is. With a third, `dies-after-write`, it is killed between
 * the deployment and the report of it: the worst moment.
 */
import { join } from "node:path"
import { Handrail, replay } from "handrail"
import OpenAI from "openai"
import { openMemory } from "./memory.ts"
import { liveVersion, putLive } from "./target.ts"
import { tools } from "./tools.ts"

const [folder = ".", modelUrl = "", mishap] = process.argv.slice(2)
const say = (text: string): void => console.log(`  agent ${process.pid}: ${text}`)

interface Deployment {
  readonly environment: string
  readonly version: string
}
/** Deployments that turned out to have happened before the process died. */
const found: Array<string> = []

await using runtime = await Handrail.open({ store: `sqlite:${join(folder, "handrail.db")}` })
await using session = replay(new OpenAI({ apiKey: "none", baseURL: modelUrl }), {
  agent: "deployer",
  contractsDir: join(import.meta.dirname, "governance/deployer"),
  tools: {
    run_tests: (_: { branch: string }) => ({ passed: true }),
    deploy: async ({ environment, version }: Deployment, { fences }) => {
      const fence = fences.find(({ name }) => name === "environment")
      if (fence === undefined) throw new Error("the contract of deploy takes no environment")
      await putLive(folder, environment, version, fence)
      say(`${version} is live, written with token ${fence.token}`)
      if (mishap === "dies-after-write") process.kill(process.pid, "SIGKILL")
      return { live: version }
    },
  },
  workflow: { type: "root", workflowId: "deploy-7", role: "deployer" },
  runtime,
  // The same id after a restart: the same session, its contracts' state and its open steps included.
  sessionId: "deployer-7",
  recover: {
    // A deployment had begun when the process died. Only the target knows what became of it.
    deploy: async ({ arguments: args, stepId }) => {
      const { environment, version } = deploymentOf(args)
      const isLive = (await liveVersion(folder, environment)) === version
      say(`step ${stepId} had begun; ${version} is ${isLive ? "live: committed" : "not live: aborted"}`)
      if (isLive) found.push(version)
      return isLive ? "committed" : "aborted"
    },
  },
})

// It does not outlive the program that started it.
const leave = (): void => process.exit(1)
process.once("disconnect", leave)
await session.ready()
process.send?.("ready")
const { memory, save } = openMemory(folder)
if (memory.answer === null) {
  // It died before it had saved the answer that asked for these. The model will ask again.
  for (const { stepId, status } of session.unresolved)
    if (status === "awaiting_approval") await session.receipt({ stepId, outcome: "aborted" })
}
for (;;) {
  if (memory.answer === null) {
    memory.answer = await session.client.responses.create({ model: "gpt-5-mini", input: memory.input, tools })
    save()
    process.send?.("saved")
  }
  const { answer } = memory
  // A call that was waiting for its approval when the process died goes on waiting here, in its old place.
  const results = found.length > 0 ? alreadyDone(answer.output) : await session.runTools(answer)
  found.length = 0
  memory.input.push(...answer.output.filter(isSpoken), ...results)
  memory.answer = null
  save()
  if (results.length === 0) {
    say(answer.output_text)
    break
  }
}
await session.complete()
process.off("disconnect", leave)
process.disconnect?.()

/** What goes back to the model with the next request: what it said, and what it called. */
function isSpoken(
  item: OpenAI.Responses.ResponseOutputItem,
): item is OpenAI.Responses.ResponseOutputMessage | OpenAI.Responses.ResponseFunctionToolCall {
  return item.type === "message" || item.type === "function_call"
}

/** The journal keeps arguments as JSON. */
function deploymentOf(args: unknown): Deployment {
  if (typeof args === "object" && args !== null && "environment" in args && "version" in args)
    return { environment: String(args.environment), version: String(args.version) }
  throw new Error("this is no deployment")
}

/** What the model is told of calls that were carried out before the process died. */
function alreadyDone(output: ReadonlyArray<OpenAI.Responses.ResponseOutputItem>) {
  return output.flatMap((item) =>
    item.type === "function_call"
      ? [{ type: "function_call_output" as const, call_id: item.call_id, output: `It is done: ${found.join(", ")}.` }]
      : [],
  )
}
