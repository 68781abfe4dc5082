/** The variants: what goes wrong on purpose, who steps in, and how one sees that the rules held. */
import type { JournalEvent, KillReceipt, WorkflowView } from "handrail"
import type { AgentProcess } from "./agentProcess.ts"
import { type Behaviour, figuresOf, type Report, type Role } from "./orders.ts"
import type { Run } from "./run.ts"
import { money } from "./terminal.ts"

export interface Check {
  readonly holds: boolean
  readonly text: string
}

export interface Variant {
  readonly name: string
  /** One line for the head of the run. */
  readonly about: string
  /** The change must fall into at least so many parts. */
  readonly needsParts: number
  /** Who is started for an offer to this role, one behaviour a process. Default: one that behaves. */
  claimants?(role: Role, generation: number): readonly Behaviour[]
  onEvent?(run: Run, event: JournalEvent): void
  onReport?(run: Run, agent: AgentProcess, report: Report): void
  /** What the run has shown, or not. */
  checks(run: Run, view: WorkflowView): readonly Check[]
}

const operator = { operator: "demo" }

const check = (holds: boolean, text: string): Check => ({ holds, text })
const reviewed = (view: WorkflowView): Check =>
  check(view.status === "completed", "the review was finished, and the workflow is completed")
const generationOf = (view: WorkflowView, handoffId: string): number =>
  view.handoffs.find((handoff) => handoff.handoffId === handoffId)?.generation ?? 0
const bodies = <T extends JournalEvent["body"]["_tag"]>(run: Run, tag: T) =>
  run.events
    .map(({ body }) => body)
    .filter((body): body is Extract<JournalEvent["body"], { readonly _tag: T }> => body._tag === tag)

const normal: Variant = {
  name: "normal",
  about: "four processes review one change",
  needsParts: 1,
  checks: (run, view) => [
    check(
      view.sessions.every(({ status }) => status === "completed") && run.agents.every(({ exit }) => exit?.code === 0),
      `${run.agents.length} processes shared one durable workflow, and each completed its session`,
    ),
    check(
      bodies(run, "handoff.claimed").length === view.handoffs.length,
      `${view.handoffs.length} handoffs, each claimed once`,
    ),
    reviewed(view),
  ],
}

const contend: Variant = {
  name: "contend",
  about: "two scanners race for one handoff",
  needsParts: 1,
  claimants: (role) =>
    role === "code-scanner" ? [{ waitBefore: ["claim", "work"] }, { waitBefore: ["claim", "work"] }] : [{}],
  onReport: (run, agent, report) => {
    const scanners = run.agentsIn("code-scanner")
    if (report.kind === "waiting" && report.before === "claim") {
      const ready = scanners.filter((scanner) => scanner.report("waiting") !== undefined)
      if (ready.length < scanners.length) return
      run.note("demo", "lets both claim at the same moment", "bold")
      for (const scanner of scanners) scanner.go()
    }
    // The winner holds still until the loser was answered, so that what it lost to is the claim and not the end of the work.
    if (report.kind === "lost") for (const scanner of scanners) if (scanner !== agent) scanner.go()
  },
  checks: (run, view) => {
    const losers = run.agentsIn("code-scanner").filter((agent) => agent.report("lost") !== undefined)
    const [loser] = losers
    const claims = bodies(run, "handoff.claimed").filter(({ handoffId }) => handoffId === "scan")
    const why = loser?.report("lost")
    return [
      check(claims.length === 1, `one claim of two succeeded: ${claims.map(({ agent }) => agent).join(", ")}`),
      check(
        losers.length === 1 && why?.code === "handoff_already_claimed" && loser?.exit?.code === 0,
        `${loser?.name ?? "nobody"} was told ${why?.code ?? "nothing"}, and left`,
      ),
      check(generationOf(view, "scan") === 1, "the handoff is in its first generation still"),
      reviewed(view),
    ]
  },
}

const crash: Variant = {
  name: "crash",
  about: "a claimant is SIGKILLed before its first step",
  needsParts: 1,
  claimants: (role, generation) => (role === "code-scanner" && generation === 1 ? [{ waitBefore: ["work"] }] : [{}]),
  onEvent: (run, { body }) => {
    if (body._tag !== "handoff.claimed" || body.handoffId !== "scan" || body.generation !== 1) return
    const claimant = run.agent(body.sessionId)
    if (claimant === undefined) return
    run.slay(claimant)
    run.note("demo", `kills process ${claimant.pid} (SIGKILL): it can tell nobody`, "red")
    run.note("demo", "the claim's lease of 4 s runs out by itself; nothing to do but wait")
  },
  checks: (run, view) => {
    const [first, second] = run.agentsIn("code-scanner")
    const reclaims = bodies(run, "handoff.reclaimed").filter(({ handoffId }) => handoffId === "scan")
    return [
      check(first?.exit?.signal === "SIGKILL", `${first?.name ?? "nobody"} died without a word`),
      check(
        reclaims.length >= 1,
        `its lease ran out and the handoff was reclaimed (${reclaims[0]?.reason ?? "never"})`,
      ),
      check(
        view.sessions.find(({ sessionId }) => sessionId === first?.assignment.sessionId)?.status === "killed",
        "its session is fenced off: whatever it might still send would be refused",
      ),
      check(
        generationOf(view, "scan") >= 2 && second?.exit?.code === 0,
        `${second?.name ?? "nobody"} claimed generation ${generationOf(view, "scan")} and finished`,
      ),
      reviewed(view),
    ]
  },
}

/** How long an agent may take to hear of its kill and go. Generous: the machine may be busy. */
const stopMs = 30_000

const kill: Variant = {
  name: "kill",
  about: "an operator kills the tree while a scan is stuck",
  needsParts: 3,
  claimants: (role) =>
    role === "code-scanner" ? [{ stuckAtPart: 3 }] : role === "risk-analyst" ? [{ waitBefore: ["work"] }] : [{}],
  onReport: (run, _, report) => {
    const stuck = run.agentsIn("code-scanner").some((agent) => agent.report("stuck") !== undefined)
    const idle = run.agentsIn("risk-analyst").some((agent) => agent.report("waiting") !== undefined)
    const justNow = report.kind === "stuck" || report.kind === "waiting"
    if (justNow && stuck && idle) run.operate(() => killTree(run))
  },
  checks: (run, view) => {
    const [receipt] = run.kills
    const heard = run.agents.filter((agent) => agent.report("killed") !== undefined)
    const after = receipt === undefined ? [] : run.events.filter(({ seq }) => seq > receipt.seq)
    const dead = new Set<string>(receipt?.sessions)
    return [
      check(receipt?.counts.sessions === 3, `one event killed ${receipt?.counts.sessions ?? 0} sessions`),
      check(
        heard.length === run.agents.length && run.agents.every(({ exit }) => exit?.code === 0),
        `${heard.length} of ${run.agents.length} processes heard of it and stopped by themselves`,
      ),
      check(
        after.every(({ actor, body }) => !dead.has(actor) || (body._tag === "steps.resolved" && body.late === true)),
        "after the kill the journal holds nothing of theirs but late receipts",
      ),
      check(receipt?.state === "quiescent", `the kill is ${receipt?.state ?? "missing"}: no effect is open any more`),
      check(view.status === "killed", `the workflow is ${view.status}`),
    ]
  },
}

const killTree = async (run: Run): Promise<void> => {
  const { rootSessionId } = await run.view()
  const reason = "the scan hangs, stop everything"
  const receipt = await run.runtime.kill({ scope: "subtree", sessionId: rootSessionId, reason }, operator)
  for (const line of receiptLines(receipt)) run.note("kill receipt", line, "red")
  await run.until(() => run.agents.every(({ exit }) => exit !== undefined), stopMs)
  run.kills.push(await settled(run, receipt))
}

const receiptLines = ({
  actor,
  handoffs,
  killId,
  orphanedSteps,
  reason,
  scope,
  sessions,
  state,
}: KillReceipt): readonly string[] => [
  `${killId}`,
  `${scope}, by ${actor}: ${reason}`,
  `sessions  ${sessions.join(", ")}`,
  `handoffs  ${handoffs.join(", ")}`,
  ...orphanedSteps.map(
    ({ resources, tool }) =>
      `orphan    ${tool}, holding ${resources.map(({ name, key }) => `${name}/${key}`).join(", ")}`,
  ),
  `state     ${state}`,
]

/** The receipt once nothing is open: the agents report their own orphans; one that could not is the operator's to judge. */
const settled = async (run: Run, { killId, orphanedSteps }: KillReceipt): Promise<KillReceipt> => {
  const { workflowId } = run
  const now = await run.runtime.getKill(workflowId, killId)
  if (now.state === "fenced") {
    const { resources } = await run.view()
    const open = new Set<string>(resources.flatMap(({ steps }) => steps.map(({ stepId }) => stepId)))
    for (const { stepId } of orphanedSteps.filter((step) => open.has(step.stepId))) {
      const reason = "its process is gone, and a scan changes nothing"
      await run.runtime.resolveStep({ workflowId, stepId, outcome: "aborted", reason }, operator)
    }
  }
  const receipt = await run.runtime.getKill(workflowId, killId)
  run.note("kill receipt", `state     ${receipt.state}`, receipt.state === "quiescent" ? "green" : "yellow")
  return receipt
}

/** What the role may spend after the first refusal, and after the second. 0.50 before (workflow.yaml). */
const raises = [0.55, 1]

const overspend: Variant = {
  name: "overspend",
  about: "the scanner runs out of money, twice",
  needsParts: 4,
  // 0.49 of 0.50 are spent after the second part. The third costs ten times its estimate, which nobody could know before.
  claimants: (role) => (role === "code-scanner" ? [{ prices: [0.02, 0.47, 0.2], waitsForMoney: true }] : [{}]),
  onReport: (run, agent, report) => {
    if (report.kind !== "refused") return
    const refusals = agent.reports.filter(({ kind }) => kind === "refused").length
    const maxCost = raises[refusals - 1]
    if (maxCost === undefined) return
    run.operate(async () => {
      const { workflowId } = run
      await run.runtime.raiseLimits({ workflowId, role: "code-scanner", limits: { maxCost } }, operator)
    })
  },
  checks: (run, view) => {
    const [scanner] = run.agentsIn("code-scanner")
    const refusals = (scanner?.reports ?? []).filter((report) => report.kind === "refused")
    const [first, second] = refusals.map(figuresOf)
    const cost = view.roles["code-scanner"]?.cost
    return [
      check(
        first !== undefined &&
          first.used <= first.max &&
          first.used + first.requested > first.max &&
          refusals[0]?.ran === 2,
        `a call that would have passed the limit was refused before it ran (${money(first?.used ?? 0)} of ${money(first?.max ?? 0)} used)`,
      ),
      check(
        second !== undefined && second.used > second.max && refusals[1]?.ran === 3,
        `an overshoot was recorded in full, and stopped the next call (${money(second?.used ?? 0)} of ${money(second?.max ?? 0)} used)`,
      ),
      check(
        bodies(run, "limits.raised").length === 2 &&
          cost !== undefined &&
          cost.max === raises[1] &&
          cost.used <= cost.max,
        `an operator raised the limit twice, on record (${money(cost?.used ?? 0)} of ${money(cost?.max ?? 0)} used at the end)`,
      ),
      reviewed(view),
    ]
  },
}

export const variants = { normal, contend, crash, kill, overspend } as const
export type VariantName = keyof typeof variants
