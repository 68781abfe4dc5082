/** Approvals: what a person, or nobody in time, says of a step that a contract lets wait (semantics.md §5). */
import type { CommandOf } from "../../machines/commands.ts"
import { finish, happening } from "./endings.ts"
import { stepById, workflowById } from "./queries.ts"
import type { Context } from "./sessions.ts"
import { type ModelAnswer, refuse, roleOf, type Session, type Step, type World } from "./state.ts"

const day = 86_400_000

/**
 * How long a call waits for its approval; null where its contract asks for none. The definitions of the properties write every
 * duration in milliseconds.
 */
export const approvalWait = (world: World, session: Pick<Session, "role">, tool: string): number | null => {
  const checkpoint = roleOf(world, session.role)?.tools.find((one) => one.tool === tool)?.rest.checkpoint
  if (checkpoint === undefined || checkpoint === false) return null
  return checkpoint === true ? day : Number.parseInt(JSON.stringify(checkpoint).replace(/\D+/g, ""), 10)
}

/** It stands in its queues as any other; whether its turn has come is found out when the event is closed. */
export const giveApproval = (step: Step): void => {
  step.status = "queued"
  step.deadline = null
}

/** Nothing of it ran, and nothing of it will. */
export const refuseApproval = (step: Step): void => {
  step.status = "aborted"
  step.outcome = "aborted"
  step.deadline = null
}

type Verdict = "approve" | "reject"

/** A decision that was made before answers again as long as it stands. */
const standing = (step: Step, verdict: Verdict): boolean =>
  step.isCheckpoint && (step.outcome === "aborted") === (verdict === "reject")

const decided = (
  world: World,
  command: CommandOf<"approveStep"> | CommandOf<"rejectStep">,
  verdict: Verdict,
  now: number,
): ModelAnswer => {
  const workflow = workflowById(world, command.workflowId) ?? refuse("workflow_not_found")
  const step = stepById(world, workflow.id, command.stepId) ?? refuse("step_not_found")
  const reopened = verdict === "approve" && step.status === "aborted" && step.isCheckpoint
  const late = reopened && world.fault === "a step that was rejected can be approved"
  if (step.status !== "awaiting_approval" && !late) {
    if (!standing(step, verdict)) refuse("step_not_awaiting_approval")
    return { stepId: step.id, status: step.status }
  }
  const event = happening(workflow.id, now)
  if (verdict === "reject") refuseApproval(step)
  else giveApproval(step)
  if (verdict === "approve" && world.fault === "an approved step does not wait for its turn") step.status = "admitted"
  event.touched.add(step.sessionId)
  finish(world, event)
  return { stepId: step.id, status: step.status }
}

export const approveStep = (world: World, command: CommandOf<"approveStep">, { now }: Context): ModelAnswer =>
  decided(world, command, "approve", now)
export const rejectStep = (world: World, command: CommandOf<"rejectStep">, { now }: Context): ModelAnswer =>
  decided(world, command, "reject", now)
