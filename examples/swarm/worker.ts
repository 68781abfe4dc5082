/**
 * One of ten workers: it takes whatever is offered, does it, and takes the next.
 *
 * Nobody gives it work: it follows the journal, tries to claim each offer that it hears of, and is refused where another was
 * faster. Each claim is a session of its own, with a model client of its own.
 */
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { type Client, ReplayKillError, replay, WorkflowError } from "handrail"
import OpenAI from "openai"
import { prices } from "./script.ts"

export interface Team {
  readonly runtime: Client
  readonly workflowId: string
  readonly managerId: string
  readonly modelUrl: string
  readonly folder: string
  /** Called when there is no money left; resolves when there is. */
  readonly outOfMoney: (worker: string) => Promise<void>
}

/** What a worker did. */
export interface Tally {
  readonly name: string
  done: number
  /** Offers that another worker got. */
  lost: number
}

/** Works until the workflow has ended. With `dies` it stops like a crashed process, in the middle of its first claim. */
export const work = async (name: string, team: Team, { dies = false } = {}): Promise<Tally> => {
  const tally: Tally = { name, done: 0, lost: 0 }
  for await (const { body } of team.runtime.events({ workflowId: team.workflowId })) {
    if (body._tag === "session.completed" && body.handoffId === null) break
    const isOffer = body._tag === "handoff.offered" || (body._tag === "handoff.reclaimed" && body.status === "offered")
    if (!isOffer) continue
    try {
      if (dies) {
        // Its heartbeats stop, and its session stays open: that is what the others see of a crash.
        const session = await claim(name, team, body.handoffId).ready()
        await session.close()
        break
      }
      await translate(name, team, body.handoffId)
      tally.done += 1
    } catch (error) {
      if (!isLost(error)) throw error
      tally.lost += 1
    }
  }
  return tally
}

/** One text, from the claim to the end. */
const translate = async (name: string, team: Team, handoffId: string): Promise<void> => {
  await using session = await claim(name, team, handoffId).ready()
  const { text } = textOf(session.handedOver?.summary)
  const messages: Array<OpenAI.ChatCompletionMessageParam> = [{ role: "user", content: text }]
  for (;;) {
    const answer = await affordable(name, team, () =>
      session.client.chat.completions.create({ model: "gpt-5-mini", messages, max_completion_tokens: 200, tools }),
    )
    const [choice] = answer.choices
    const results = await session.runTools(answer)
    if (choice === undefined || results.length === 0) break
    messages.push(choice.message, ...results)
  }
  await session.complete({ by: name })
}

/** Another worker has the text: it was faster, or this one was not heard of for too long. Or the workflow has ended. */
const isLost = (error: unknown): boolean =>
  error instanceof ReplayKillError || (error instanceof WorkflowError && taken.has(error.code))

const taken: ReadonlySet<string> = new Set(["handoff_already_claimed", "handoff_closed", "workflow_not_active"])

const claim = (name: string, { runtime, workflowId, managerId, modelUrl, folder }: Team, handoffId: string) =>
  replay(new OpenAI({ apiKey: "none", baseURL: modelUrl }), {
    agent: name,
    contractsDir: join(import.meta.dirname, "governance/translator"),
    tools: {
      save_translation: (saved: { text: string; translation: string }) =>
        appendFileSync(join(folder, "translations.jsonl"), `${JSON.stringify({ handoffId, by: name, ...saved })}\n`),
    },
    workflow: { type: "child", role: "translator", workflowId, parentSessionId: managerId, handoffId },
    runtime,
    prices,
  })

/**
 * A call that the purse refuses is made again once there is money. Mostly the model was not even asked. Where it was, and there
 * is nothing left for the tool that it wants, its answer is paid and lost: the journal has the usage all the same.
 */
const affordable = async <A>(name: string, team: Team, call: () => Promise<A>): Promise<A> => {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof WorkflowError) || error.code !== "limit_exceeded") throw error
      await team.outOfMoney(name)
    }
  }
}

const textOf = (summary: unknown): { readonly text: string } => {
  if (typeof summary === "object" && summary !== null && "text" in summary) return { text: String(summary.text) }
  throw new Error("nothing to translate was handed over")
}

const tools: Array<OpenAI.ChatCompletionFunctionTool> = [
  {
    type: "function",
    function: {
      name: "save_translation",
      parameters: {
        type: "object",
        required: ["text", "translation"],
        properties: { text: { type: "string" }, translation: { type: "string" } },
      },
    },
  },
]
