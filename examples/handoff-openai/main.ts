/**
 * An orchestrator hands pull request #42 to a code scanner.
 *
 * The orchestrator works with OpenAI, streaming; the scanner with Anthropic. In life they are two programs on two machines: all
 * that they share is the runtime. Run it: npm run example:handoff-openai
 */
import { join } from "node:path"
import { Handrail, replay } from "handrail"
import OpenAI from "openai"
import { ScriptedModel } from "../scripted-model/ScriptedModel.ts"
import { readArguments } from "../shared/folder.ts"
import { ledgerOf, treeOf } from "../shared/show.ts"
import { prices } from "./prices.ts"
import { pullRequest } from "./pullRequest.ts"
import { scan } from "./scanner.ts"
import { script } from "./script.ts"

const { folder } = readArguments("handoff-openai")
await using model = await ScriptedModel.start(script)
await using runtime = await Handrail.open({ store: `sqlite:${join(folder, "handrail.db")}` })
const client = new OpenAI({ apiKey: "none", baseURL: model.openaiUrl })

const workflowId = "review-pr-42"
const handoffId = "scan-pr-42"
const review_pull_request = ({ number }: { number: number }) => {
  if (number !== pullRequest.number) throw new Error(`there is no pull request #${number}`)
  return { title: pullRequest.title, files: Object.keys(pullRequest.files) }
}

await using session = replay(client, {
  agent: "orchestrator",
  mode: "enforce",
  contractsDir: join(import.meta.dirname, "governance/orchestrator"),
  tools: { review_pull_request },
  workflow: { type: "root", workflowId, role: "orchestrator" },
  runtime,
  prices,
})

// 1. The model looks at the pull request, and says what to look for.
const messages: Array<OpenAI.ChatCompletionMessageParam> = [{ role: "user", content: "Review pull request #42." }]
const task = await answer()

// 2. The work is offered. Whoever fills the role may claim it; nobody is told to.
const ticket = await session.handoff({ toRole: "code-scanner", handoffId, summary: { pull_request: 42, task } })

// 3. Two scanners try at once: one gets it, the other is refused. The orchestrator waits for the end, whatever it is.
const scanning = { parentSessionId: session.sessionId, workflowId, handoffId, runtime, modelUrl: model.url, folder }
const [outcome] = await Promise.all([
  session.awaitHandoff(ticket),
  scan({ ...scanning, sessionId: "scanner-1" }),
  scan({ ...scanning, sessionId: "scanner-2" }),
])

// 4. The model reads the result, and concludes.
messages.push({ role: "user", content: `The scan has ${outcome.status}: ${JSON.stringify(outcome.result)}` })
await session.complete({ verdict: await answer() })

const view = await runtime.getWorkflow(workflowId)
console.log(`\n${treeOf(view)}\n\n${ledgerOf(view)}\n\nThe journal is ${join(folder, "handrail.db")}`)

/** Asks the model until it has said something without calling tools. Its text is shown as it streams. */
async function answer(): Promise<string> {
  for (;;) {
    const stream = session.client.chat.completions.stream({
      model: "gpt-5-mini",
      messages,
      max_completion_tokens: 500,
      tools: [
        {
          type: "function",
          function: {
            name: "review_pull_request",
            parameters: { type: "object", required: ["number"], properties: { number: { type: "integer" } } },
          },
        },
      ],
    })
    let isFirst = true
    for await (const { choices } of stream) {
      const text = choices[0]?.delta.content ?? ""
      process.stdout.write(isFirst && text !== "" ? `orchestrator: ${text}` : text)
      if (text !== "") isFirst = false
    }
    const completion = await stream.finalChatCompletion()
    const message = completion.choices[0]?.message
    if (message === undefined) throw new Error("the model gave no answer")
    messages.push(message, ...(await session.runTools(completion)))
    if (message.tool_calls === undefined) {
      process.stdout.write("\n")
      return message.content ?? ""
    }
  }
}
