/**
 * Decisions on a step that awaits approval: an operator's, or that nobody decided in time (semantics.md §5).
 *
 * A decision is final. Asked for again it answers again as long as it stands; the opposite one is refused.
 */
import type { StepDecided } from "../answers.ts"
import type { CommandOf } from "../commands.ts"
import type { EventOf } from "../events.ts"
import type { StepId } from "../ids.ts"
import { stepLifecycle } from "../lifecycle/table.ts"
import { type Refusal, refuse } from "../refusals.ts"
import { admissionOf } from "../resources.ts"
import { must, type State, type Step } from "../state.ts"
import { accept, type Decision, type Facts, nextSeq, refused } from "./context.ts"
import { archivedSession } from "./guards.ts"
import { resolved } from "./receipts.ts"

export const approveStep = (state: State, command: CommandOf<"approveStep">, facts: Facts): Decision<StepDecided> => {
  const { stepId, reason } = command
  const step = state.steps.get(stepId)
  if (step === undefined || stepLifecycle.next(step.status, "APPROVE") === undefined)
    return decidedBefore(state, stepId, "approved", facts)
  const admitted = admissionOf(state, step)
  return accept(
    [
      {
        _tag: "step.approved",
        sessionId: step.sessionId,
        stepId,
        ...(reason === undefined ? {} : { reason }),
        ...(admitted.length > 0 ? { admitted } : {}),
      },
    ],
    { stepId, status: admitted.length > 0 ? "admitted" : "queued", seq: nextSeq(state) },
  )
}

export const rejectStep = (state: State, command: CommandOf<"rejectStep">, facts: Facts): Decision<StepDecided> => {
  const { stepId, reason } = command
  const step = state.steps.get(stepId)
  if (step === undefined || stepLifecycle.next(step.status, "REJECT") === undefined)
    return decidedBefore(state, stepId, "rejected", facts)
  return accept([rejected(state, step, reason ?? "rejected")], { stepId, status: "aborted", seq: nextSeq(state) })
}

/** The step will not run: everything that it holds returns. */
export const rejected = (state: State, step: Step, reason: string): EventOf<"steps.resolved"> => ({
  ...resolved(
    state,
    must(state.sessions, step.sessionId, "session"),
    [{ stepId: step.stepId, outcome: "aborted", cost: 0, tokens: 0 }],
    reason,
  ),
  rejected: true,
})

/**
 * A step that awaits nothing (any more). What needed approval and was not aborted has been approved, so neither the state nor
 * the row of a step has to remember that; one that is aborted will not run, which is all that a rejection asks for.
 */
const decidedBefore = (
  state: State,
  stepId: StepId,
  decision: "approved" | "rejected",
  facts: Facts,
): Decision<StepDecided> => {
  const step = state.steps.get(stepId) ?? facts.archive.steps.get(stepId)
  if (step === undefined) return refused(refuse("step_not_found", `The workflow has no step ${stepId}.`, { stepId }))
  const session = state.sessions.get(step.sessionId) ?? archivedSession(state, step.sessionId, facts)
  const contract = session === undefined ? undefined : state.rules.tool(session.role, step.tool)
  const needed = contract !== undefined && state.rules.approvalMs(contract) !== null
  const aborted = "outcome" in step && step.outcome === "aborted"
  if (needed && aborted === (decision === "rejected"))
    return accept([], { stepId, status: step.status, seq: state.seq })
  return refused(notAwaiting(stepId, step.status, needed))
}

const notAwaiting = (stepId: StepId, status: string, needed: boolean): Refusal =>
  refuse(
    "step_not_awaiting_approval",
    needed
      ? `Step ${stepId} was decided on before: it is ${status}.`
      : `Step ${stepId} needs no approval: it is ${status}.`,
    { stepId, status },
  )
