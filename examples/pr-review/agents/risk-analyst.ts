/** The risk analyst: the change's past first, then its churn, hot spots and score. */
import type { ToolContext } from "handrail"
import { analyzeRisk } from "../analyze.ts"
import { parseDiff } from "../diff.ts"
import { type Change, changeHistory } from "../source.ts"
import { handedOver, runAgent } from "./shared.ts"

type Git = Change["git"]

await runAgent(async (agent) => {
  await agent.permission("claim")
  let history: ReadonlyMap<string, number> | null = null
  let text = ""
  const session = agent.session({
    read_history: async ({ git }: { change: string; repository: string; git: Git }, { settle }: ToolContext) => {
      history = await changeHistory({ git })
      settle({ evidence: { files: history?.size ?? 0 } })
      return history
    },
    analyze_churn: (_: { change: string }, { settle }: ToolContext) => {
      const risk = analyzeRisk(parseDiff(text), history)
      settle({ evidence: { score: risk.score, level: risk.level } })
      return risk
    },
  })
  await session.ready()
  await agent.permission("work", session.signal)

  const handed = handedOver(session)
  const change = handed.text("change")
  text = await handed.artifact("change.diff")
  await session.tools.read_history({ change, repository: handed.text("repository"), git: gitOf(handed.field("git")) })
  const risk = await session.tools.analyze_churn({ change })
  const artifact = await agent.write("risk.json", JSON.stringify(risk), "application/json")
  await session.complete({ score: risk.score, level: risk.level }, { artifacts: [artifact] })
})

/** The repository, as the schema in workflow.yaml describes it. */
function gitOf(value: unknown): Git {
  if (typeof value !== "object" || value === null) return null
  const { base, head, root } = value as Record<string, unknown>
  if (typeof base !== "string" || typeof head !== "string" || typeof root !== "string") return null
  return { base, head, root }
}
