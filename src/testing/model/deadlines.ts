/** Deadlines (semantics.md §9): all that are due fire before a command is decided, the earliest first. */
import { giveApproval, refuseApproval } from "./approvals.ts"
import { finish, happening, reclaimHandoff } from "./endings.ts"
import { killWorkflow } from "./kills.ts"
import type { Ids, World } from "./state.ts"
import { resolveLate } from "./steps.ts"

export interface Deadline {
  readonly at: number
  readonly kind: "max_duration" | "claim" | "offer" | "preflight" | "orphan" | "approval"
  readonly fire: (now: number) => void
}

/** Every deadline that is set. Of several at the same moment `max_duration` comes first. */
const deadlinesOf = (world: World, ids: Ids): ReadonlyArray<Deadline> => {
  const found: Array<Deadline> = []
  for (const workflow of world.workflows)
    if (workflow.status === "active" && workflow.deadline !== null)
      found.push({
        at: workflow.deadline,
        kind: "max_duration",
        fire: (now) => killWorkflow(world, workflow, ids, now, "max_duration"),
      })
  for (const handoff of world.handoffs) {
    if (handoff.deadline === null) continue
    const event = (now: number) => happening(handoff.workflowId, now)
    if (handoff.status === "claimed")
      found.push({
        at: handoff.deadline,
        kind: "claim",
        fire: (now) => {
          const reclaimed = event(now)
          reclaimHandoff(world, reclaimed, ids, handoff)
          finish(world, reclaimed)
        },
      })
    if (handoff.status === "offered")
      found.push({
        at: handoff.deadline,
        kind: "offer",
        fire: (now) => {
          handoff.status = "expired"
          handoff.deadline = null
          finish(world, event(now))
        },
      })
  }
  for (const prepared of world.prepared)
    if (prepared.status === "open" && world.fault !== "an expired preflight keeps its reservation")
      found.push({
        at: prepared.deadline,
        kind: "preflight",
        fire: (now) => {
          prepared.status = "returned"
          finish(world, happening(prepared.workflowId, now))
        },
      })
  for (const step of world.steps)
    if (step.status === "orphaned" && step.deadline !== null)
      found.push({
        at: step.deadline,
        kind: "orphan",
        fire: (now) => {
          // Nobody knows what became of it: its estimate counts as spent, and its resources are free.
          resolveLate(world, step, { outcome: "committed" })
          finish(world, happening(step.workflowId, now))
        },
      })
  for (const step of world.steps)
    if (step.status === "awaiting_approval" && step.deadline !== null)
      found.push({
        at: step.deadline,
        kind: "approval",
        fire: (now) => {
          const event = happening(step.workflowId, now)
          if (world.fault === "silence approves") giveApproval(step)
          else refuseApproval(step)
          event.touched.add(step.sessionId)
          finish(world, event)
        },
      })
  return [...found.filter((one) => one.kind === "max_duration"), ...found.filter((one) => one.kind !== "max_duration")]
}

export const fireDeadlines = (world: World, now: number, ids: Ids): void => {
  for (;;) {
    const due = deadlinesOf(world, ids)
      .filter((one) => (world.fault === "a deadline fires one tick late" ? one.at < now : one.at <= now))
      .sort((a, b) => a.at - b.at)
    if (due[0] === undefined) return
    due[0].fire(now)
  }
}
