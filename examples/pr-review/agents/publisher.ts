/** The publisher: the only one who writes for others to read, as the change's single writer. */
import type { ToolContext } from "handrail"
import type { Risk } from "../analyze.ts"
import { type Verdict, writeReview } from "../report.ts"
import type { Scan } from "../scan.ts"
import { type Agent, type HandedOver, handedOver, runAgent } from "./shared.ts"

const review = async (agent: Agent, handed: HandedOver, change: string, fences: ToolContext["fences"]) => {
  const scan: Scan = JSON.parse(await handed.artifact("findings.json"))
  const risk: Risk = JSON.parse(await handed.artifact("risk.json"))
  const before = handed.field("agents")
  const agents = Array.isArray(before) ? before.map(String) : []
  const { sessionId, workflowId } = agent.assignment
  const token = fences.find(({ name }) => name === "change_request")?.token
  return writeReview({
    change: { id: change, title: handed.text("title") },
    scan,
    risk,
    provenance: {
      workflowId,
      agents: [...agents, `publish: ${sessionId} (generation ${handed.grant.generation})`],
      ...(token === undefined ? {} : { fence: token }),
    },
    at: new Date().toISOString(),
  })
}

await runAgent(async (agent) => {
  await agent.permission("claim")
  let handed: HandedOver | undefined
  const session = agent.session({
    write_review: async ({ change }: { change: string }, { fences }: ToolContext) => {
      if (handed === undefined) throw new Error("nothing was handed over")
      const { markdown, verdict } = await review(agent, handed, change, fences)
      const file = await agent.write("review.md", markdown, "text/markdown")
      return { verdict, file, bytes: Buffer.byteLength(markdown) }
    },
    announce_verdict: async ({ change, verdict }: { change: string; verdict: Verdict }) => {
      await agent.write("verdict.json", `${JSON.stringify({ change, verdict })}\n`, "application/json")
      return { announced: verdict }
    },
  })
  await session.ready()
  await agent.permission("work", session.signal)
  handed = handedOver(session)
  const change = handed.text("change")
  const { file, verdict } = await session.tools.write_review({ change })
  await session.tools.announce_verdict({ change, verdict })
  await session.complete({ verdict }, { artifacts: [file] })
})
