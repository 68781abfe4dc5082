/** The orchestrator: reads the change, hands out the scan and the risk at once, then the review, and answers for the whole. */
import { basename } from "node:path"
import type { HandoffOutcome, ReplaySession, Ticket } from "handrail"
import type { ArtifactRef } from "../artifact.ts"
import { parseDiff } from "../diff.ts"
import { loadChange } from "../source.ts"
import { type Agent, runAgent } from "./shared.ts"

const maxParts = 6

const toolsOf = (agent: Agent) => ({
  read_change: async ({ target, repo }: { repository: string; target?: string; repo?: string }) => {
    const cwd = agent.assignment.change?.cwd
    const change = await loadChange({
      ...(target === undefined ? {} : { target }),
      ...(repo === undefined ? {} : { repo }),
      ...(cwd === undefined ? {} : { cwd }),
    })
    const { files, added, deleted } = parseDiff(change.text)
    const diff = await agent.write("change.diff", change.text, "text/x-diff")
    const { git, id, repository, title } = change
    return { id, title, repository, git, diff, files: files.length, added, deleted }
  },
})

type Orchestrator = ReplaySession<ReturnType<typeof toolsOf>>

/** The files that a handoff ended with. Any other end than a good one is the end of the review. */
const resultOf = async (session: Orchestrator, ticket: Ticket): Promise<HandoffOutcome> => {
  const outcome = await session.awaitHandoff(ticket)
  if (outcome.status === "completed") return outcome
  throw new Error(
    `${outcome.handoffId} ended as ${outcome.status}${outcome.reason === null ? "" : `: ${outcome.reason}`}`,
  )
}

const named = ({ artifacts, handoffId }: HandoffOutcome, name: string): ArtifactRef => {
  const found = artifacts.find(({ uri }) => basename(uri) === name)
  if (found?.hash === undefined || found.mediaType === undefined) throw new Error(`${handoffId} came without ${name}`)
  return { uri: found.uri, hash: found.hash, mediaType: found.mediaType }
}

await runAgent(async (agent) => {
  const { repository = "change", target, repo } = agent.assignment.change ?? {}
  const session = agent.session(toolsOf(agent))
  const { diff, git, id, title } = await session.tools.read_change({
    repository,
    ...(target === undefined ? {} : { target }),
    ...(repo === undefined ? {} : { repo }),
  })

  // Nobody is told to take them: whoever fills the role claims, and a claim succeeds once.
  const scan = await session.handoff({
    toRole: "code-scanner",
    handoffId: "scan",
    summary: { task: "Find what the added lines should not hold", change: id, parts: maxParts },
    artifacts: [diff],
  })
  const risk = await session.handoff({
    toRole: "risk-analyst",
    handoffId: "risk",
    summary: { task: "Measure churn, hot spots and risk", change: id, repository, git },
    artifacts: [diff],
  })
  const [scanned, measured] = await Promise.all([resultOf(session, scan), resultOf(session, risk)])

  const who = [scanned, measured].map(
    ({ generation, handoffId, sessionId }) => `${handoffId}: ${sessionId} (generation ${generation})`,
  )
  // The binding makes whoever claims this the change's single writer, from the claim on.
  const publish = await session.handoff({
    toRole: "publisher",
    handoffId: "publish",
    summary: { task: "Write the review and announce its verdict", change: id, title: title.slice(0, 200), agents: who },
    artifacts: [diff, named(scanned, "findings.json"), named(measured, "risk.json")],
    resources: [{ name: "change_request", key: id }],
  })
  const published = await resultOf(session, publish)
  await session.complete(published.result, { artifacts: published.artifacts })
})
