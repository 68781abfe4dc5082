/** Decisions after a tool ran: receipts, in time and late, and an operator's resolution (semantics.md §5). */
import type { Receipted, ResolvedStep, StepResolved } from "../answers.ts"
import type { CommandOf, ReceiptItem } from "../commands.ts"
import type { EventOf, Resolution } from "../events.ts"
import type { Fence, HandoffId, Json, StepId } from "../ids.ts"
import { resourceKey } from "../ids.ts"
import { stepLifecycle } from "../lifecycle/table.ts"
import { type Refusal, refuse } from "../refusals.ts"
import { admissions } from "../resources.ts"
import { must, type Session, type State, type Step } from "../state.ts"
import { accept, type Decision, type Facts, isRefusal, nextSeq, nextVersion, refused } from "./context.ts"
import { activeSession } from "./guards.ts"

export const receipt = (state: State, command: CommandOf<"receipt">, facts: Facts): Decision<Receipted> => {
  const session = activeSession(state, command, facts)
  if (isRefusal(session))
    return session.code === "session_killed" || session.code === "session_not_active"
      ? late(state, command, session, facts)
      : refused(session)
  const resolutions: Array<Resolution> = []
  /** By step: one that is named twice answers with what it became. */
  const answers = new Map<StepId, ResolvedStep>()
  const decided = new Map<StepId, ReceiptItem["outcome"]>()
  for (const item of command.receipts) {
    const judged = judge(state, session, item, decided.get(item.stepId), facts)
    if (isRefusal(judged)) return refused(judged)
    if (judged.resolution !== undefined) {
      resolutions.push(judged.resolution)
      decided.set(item.stepId, item.outcome)
    }
    answers.set(item.stepId, judged.answer)
  }
  const changes = resolutions.length > 0
  return accept(changes ? [resolved(state, session, resolutions)] : [], {
    steps: command.receipts.map((item) => answers.get(item.stepId)).filter((step) => step !== undefined),
    stateVersion: changes ? nextVersion(session) : session.version,
    seq: changes ? nextSeq(state) : state.seq,
  })
}

interface Judged {
  /** Absent where the receipt repeats what is known. */
  readonly resolution?: Resolution
  readonly answer: ResolvedStep
}

const judge = (
  state: State,
  session: Session,
  item: ReceiptItem,
  earlier: ReceiptItem["outcome"] | undefined,
  facts: Facts,
): Judged | Refusal => {
  const step = state.steps.get(item.stepId)
  if (step === undefined) return repeated(session, item, facts)
  if (step.sessionId !== session.sessionId) return noStep(item.stepId)
  if (earlier !== undefined && earlier !== "unknown") {
    return earlier === item.outcome ? { answer: statusOf(step, earlier) } : alreadyResolved(item, earlier)
  }
  const event = { committed: "COMMIT", aborted: "ABORT", unknown: "REPORT_UNKNOWN" } as const
  if (stepLifecycle.next(step.status, event[item.outcome]) === undefined) return neverRan(step)
  if (item.outcome === "unknown") {
    if (item.actualCost !== undefined || item.actualTokens !== undefined)
      return refuse("invalid_request", "An unknown outcome has no actual cost yet: settle it with the final receipt.", {
        stepId: step.stepId,
      })
    return step.unknown || earlier === "unknown"
      ? { answer: statusOf(step, "unknown") }
      : { resolution: resolution(step, item), answer: statusOf(step, "unknown") }
  }
  const stale = item.outcome === "committed" ? staleFence(state, item.fences ?? []) : undefined
  return stale ?? { resolution: resolution(step, item), answer: statusOf(step, item.outcome) }
}

/** A step that waits, for its turn or for approval, has no outcome but that it will not run. */
const neverRan = (step: Step): Refusal => {
  const waits = step.status === "queued" ? "is queued" : "awaits approval"
  return refuse(
    stepLifecycle.refusal(step.status, "COMMIT") ?? "step_queued",
    `Step ${step.stepId} ${waits}: nothing of it ran, so it can only be aborted.`,
    { stepId: step.stepId },
  )
}

/** `committed` without an actual cost settles the estimate; `aborted` without one returns it. */
const resolution = (step: Step, item: Omit<ReceiptItem, "fences">): Resolution => {
  const committed = item.outcome === "committed"
  return {
    stepId: step.stepId,
    outcome: item.outcome,
    cost: item.outcome === "unknown" ? 0 : (item.actualCost ?? (committed ? step.cost : 0)),
    tokens: item.outcome === "unknown" ? 0 : (item.actualTokens ?? (committed ? step.tokens : 0)),
    ...(item.evidence === undefined ? {} : { evidence: item.evidence as Json }),
  }
}

const statusOf = (step: Step, outcome: ReceiptItem["outcome"]): ResolvedStep => ({
  stepId: step.stepId,
  status: outcome === "unknown" ? step.status : outcome,
  unknown: outcome === "unknown",
})

const noStep = (stepId: StepId): Refusal => refuse("step_not_found", `The session has no step ${stepId}.`, { stepId })

const alreadyResolved = (item: { readonly stepId: StepId }, outcome: string): Refusal =>
  refuse("step_already_resolved", `Step ${item.stepId} was resolved as ${outcome}.`, { stepId: item.stepId, outcome })

/** A receipt for a step that has left the state: the same outcome again changes nothing. */
const repeated = (session: Session, item: ReceiptItem, facts: Facts): Judged | Refusal => {
  const row = facts.archive.steps.get(item.stepId)
  if (row === undefined || row.sessionId !== session.sessionId) return noStep(item.stepId)
  if (row.outcome !== item.outcome) return alreadyResolved(item, row.outcome)
  return { answer: { stepId: row.stepId, status: row.status, unknown: false } }
}

/** A commit under a token that is no longer the newest was overtaken; one that was never granted is a mistake. */
const staleFence = (state: State, fences: ReadonlyArray<Fence>): Refusal | undefined => {
  for (const fence of fences) {
    const newest = state.resources.get(resourceKey(fence))?.fence ?? 0
    const facts = { resource: fence.name, key: fence.key, token: fence.token, newest }
    if (fence.token < newest)
      return refuse("stale_fence", `Token ${fence.token} of ${fence.name} ${fence.key} is older than ${newest}.`, facts)
    if (fence.token > newest)
      return refuse("invalid_request", `Token ${fence.token} of ${fence.name} ${fence.key} was never granted.`, facts)
  }
  return undefined
}

/** The event of resolutions by or for a live session: progress, and the steps whose turn comes. */
export const resolved = (
  state: State,
  session: Session,
  steps: ReadonlyArray<Resolution>,
  reason?: string,
): EventOf<"steps.resolved"> => {
  const progressed = steps.some((step) => step.outcome === "committed") ? progress(state, session) : []
  return {
    _tag: "steps.resolved",
    sessionId: session.sessionId,
    steps,
    ...(progressed.length > 0 ? { progressed } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...admittedAfter(state, steps),
  }
}

const admittedAfter = (state: State, steps: ReadonlyArray<Resolution>): Pick<EventOf<"steps.resolved">, "admitted"> => {
  const leaving = new Set<StepId>()
  const left: Array<Step> = []
  for (const { stepId, outcome } of steps) {
    const step = must(state.steps, stepId, "step")
    if (outcome === "unknown" || step.resources.length === 0) continue
    leaving.add(stepId)
    left.push(step)
  }
  const admitted = left.length === 0 ? [] : admissions(state, left, leaving)
  return admitted.length > 0 ? { admitted } : {}
}

/** The claimed handoffs of the session and its ancestors: a manager that only delegates makes progress too. */
const progress = (state: State, session: Session): ReadonlyArray<HandoffId> => {
  const handoffs: Array<HandoffId> = []
  let at: Session | undefined = session
  while (at !== undefined && at.handoffId !== null) {
    const handoff = state.handoffs.get(at.handoffId)
    if (handoff?.status === "claimed" && handoff.sessionId === at.sessionId) handoffs.push(handoff.handoffId)
    at = at.parentSessionId === null ? undefined : state.sessions.get(at.parentSessionId)
  }
  return handoffs
}

/**
 * A receipt by a session that has ended settles the cost of its orphans and is recorded, but is not authoritative: no progress,
 * no step counted. Its sender is refused all the same, and told whether it was recorded.
 */
const late = (state: State, command: CommandOf<"receipt">, why: Refusal, facts: Facts): Decision<never> => {
  const steps = new Map<StepId, Resolution>()
  let known = false
  for (const item of command.receipts) {
    const step = state.steps.get(item.stepId)
    if (step?.sessionId === command.sessionId && step.status === "orphaned") {
      if (item.outcome !== "unknown" && !steps.has(item.stepId)) steps.set(item.stepId, resolution(step, item))
      continue
    }
    const row = facts.archive.steps.get(item.stepId)
    known ||= row?.sessionId === command.sessionId && row.outcome === item.outcome
  }
  const refusal = refuse(why.code, why.detail, { ...why.facts, recorded: known || steps.size > 0 })
  if (steps.size === 0) return refused(refusal)
  return refused(refusal, [lateEvent(state, must(state.sessions, command.sessionId, "session"), [...steps.values()])])
}

export const lateEvent = (
  state: State,
  session: Session,
  steps: ReadonlyArray<Resolution>,
  reason?: string,
): EventOf<"steps.resolved"> => ({
  _tag: "steps.resolved",
  sessionId: session.sessionId,
  steps,
  late: true,
  ...(reason === undefined ? {} : { reason }),
  ...admittedAfter(state, steps),
})

/** An operator says what became of a step: of a live session with authority, of a dead one late. */
export const resolveStep = (state: State, command: CommandOf<"resolveStep">, facts: Facts): Decision<StepResolved> => {
  const { stepId, outcome } = command
  const step = state.steps.get(stepId)
  if (step === undefined) {
    const row = facts.archive.steps.get(stepId)
    if (row === undefined) return refused(refuse("step_not_found", `The workflow has no step ${stepId}.`, { stepId }))
    if (row.outcome !== outcome) return refused(alreadyResolved(command, row.outcome))
    return accept([], { stepId, status: row.status, seq: state.seq })
  }
  const session = must(state.sessions, step.sessionId, "session")
  const late = step.status === "orphaned"
  if (!late && outcome === "committed" && stepLifecycle.next(step.status, "COMMIT") === undefined)
    return refused(neverRan(step))
  const resolutions = [resolution(step, command)]
  return accept(
    [
      late
        ? lateEvent(state, session, resolutions, command.reason)
        : resolved(state, session, resolutions, command.reason),
    ],
    { stepId, status: late ? "late" : outcome, seq: nextSeq(state) },
  )
}
