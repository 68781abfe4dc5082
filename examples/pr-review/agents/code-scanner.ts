/** The code scanner: one governed call for each part of the change, so that what was committed survives whatever happens next. */
import type { ReplaySession, ToolContext } from "handrail"
import { WorkflowError } from "handrail"
import { type DiffFile, parseDiff } from "../diff.ts"
import { countsOf } from "../report.ts"
import { mergeScans, partition, type Scan, scanFiles } from "../scan.ts"
import { type Agent, handedOver, orAborted, runAgent, say } from "./shared.ts"

interface ScanArguments {
  readonly change: string
  /** From 1. */
  readonly part: number
  readonly parts: number
}

/** Looking costs money: a cent, and a little for each line. */
const priceOf = (files: readonly DiffFile[]): number =>
  0.01 + Math.min(0.03, files.reduce((sum, { added }) => sum + added, 0) * 0.00001)

/** Calls again once an operator has raised a limit, which the journal says; polling would only ask the same question again. */
const whenAffordable = async <A>(
  agent: Agent,
  session: ReplaySession,
  ran: () => number,
  call: () => Promise<A>,
): Promise<A> => {
  for (;;) {
    const { seq } = await session.getState()
    try {
      return await call()
    } catch (error) {
      const isMoney = error instanceof WorkflowError && error.code === "limit_exceeded"
      if (!isMoney || agent.behaviour.waitsForMoney !== true) throw error
      say({ kind: "refused", code: error.code, facts: error.facts, ran: ran() })
    }
    for await (const { body } of session.events({ after: seq })) {
      session.signal.throwIfAborted()
      if (body._tag === "limits.raised") break
    }
  }
}

await runAgent(async (agent) => {
  await agent.permission("claim")
  const { prices, stuckAtPart } = agent.behaviour
  let parts: readonly (readonly DiffFile[])[] = []
  let ran = 0
  const session = agent.session({
    scan_diff: async ({ part }: ScanArguments, { settle, signal }: ToolContext): Promise<Scan> => {
      ran += 1
      if (part === stuckAtPart) {
        say({ kind: "stuck", part })
        await orAborted(new Promise<never>(() => {}), signal)
      }
      const files = parts[part - 1] ?? []
      const scan = scanFiles(files)
      settle({ actualCost: prices?.[part - 1] ?? priceOf(files), evidence: { files: scan.files, ...countsOf(scan) } })
      return scan
    },
  })
  await session.ready()
  await agent.permission("work", session.signal)

  const handed = handedOver(session)
  const change = handed.text("change")
  const wanted = handed.field("parts")
  parts = partition(parseDiff(await handed.artifact("change.diff")).files, typeof wanted === "number" ? wanted : 1)
  const scans: Scan[] = []
  for (const index of parts.keys()) {
    const call = { change, part: index + 1, parts: parts.length }
    scans.push(
      await whenAffordable(
        agent,
        session,
        () => ran,
        () => session.tools.scan_diff(call),
      ),
    )
  }
  const scan = mergeScans(scans)
  const findings = await agent.write("findings.json", JSON.stringify(scan), "application/json")
  await session.complete(countsOf(scan), { artifacts: [findings] })
})
