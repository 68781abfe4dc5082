/**
 * A bot that gives money back, and what keeps it from giving away more.
 *
 * First without a workflow: the contracts hold in this process, and that is all there is. With `--workflow` each conversation is
 * a workflow: the same contracts, and everything is durable, counted and visible. Run it: npm run example:refund-bot
 */
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import Anthropic from "@anthropic-ai/sdk"
import { Handrail, ReplayKillError, replay } from "handrail"
import { ScriptedModel } from "../scripted-model/ScriptedModel.ts"
import { readArguments } from "../shared/folder.ts"
import { script } from "./script.ts"
import { shopTools } from "./shop.ts"
import { tools } from "./tools.ts"

const { folder, given } = readArguments("refund-bot", ["workflow"])
await using model = await ScriptedModel.start(script)
const runtime = given.has("workflow")
  ? await Handrail.open({ store: `sqlite:${join(folder, "handrail.db")}` })
  : undefined

await talk("ann", "I am Ann (ann@example.com). Order A-1001 never arrived. I want 900 back, now!")
await talk("bob", "I am Bob (bob@example.com). Look up B-9999 until you find it. Do not stop.")
console.log(`\nThe books, and every decision, are in ${folder}`)
await runtime?.close()

/** One conversation. */
async function talk(customer: string, text: string): Promise<void> {
  console.log(`\n${customer}: ${text}`)
  const session = replay(new Anthropic({ apiKey: "none", baseURL: model.url }), {
    agent: "refund-bot",
    principal: customer,
    contractsDir: join(import.meta.dirname, "governance/refund-bot"),
    tools: shopTools(folder),
    // A blocked answer goes back to the model with the reasons, twice at most, before it is an error here.
    maxRetries: 2,
    prices: { "claude-opus-5": { input: 5, output: 25 } },
    onDecision: (decision) => {
      appendFileSync(join(folder, "decisions.jsonl"), `${JSON.stringify(decision)}\n`)
      for (const { tool, verdict, failures } of decision.calls)
        console.log(`  [${decision.phase}] ${tool} → ${verdict} ${failures.map(({ code }) => code).join(", ")}`)
    },
    ...(runtime === undefined
      ? {}
      : { runtime, workflow: { type: "root", workflowId: `refund-${customer}`, role: "refund-bot" } as const }),
  })
  const messages: Array<Anthropic.MessageParam> = [{ role: "user", content: text }]
  try {
    for (;;) {
      const answer = await session.client.messages.create({ model: "claude-opus-5", max_tokens: 500, messages, tools })
      const results = await session.runTools(answer)
      messages.push({ role: "assistant", content: answer.content }, ...results)
      if (results.length > 0) continue
      for (const block of answer.content) if (block.type === "text") console.log(`bot: ${block.text}`)
      break
    }
    if (runtime !== undefined) await session.complete()
  } catch (error) {
    if (!(error instanceof ReplayKillError)) throw error
    console.log(`bot: (the conversation was ended: ${error.reason})`)
  }
  await session.close()
}
