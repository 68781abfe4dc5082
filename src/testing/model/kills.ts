/** Kills, by scope (semantics.md §8). */
import type { CommandOf } from "../../machines/commands.ts"
import { finish, happening, kill, killState, livingTree, openHandoffsOf } from "./endings.ts"
import { claimantOf, descendantsOf, isOpen, must, sessionById, workflowById } from "./queries.ts"
import { type Context, needVersion } from "./sessions.ts"
import {
  type Handoff,
  type Ids,
  type Kill,
  type ModelAnswer,
  refuse,
  type Session,
  type Workflow,
  type World,
} from "./state.ts"

const receiptOf = (world: World, made: Kill): ModelAnswer => ({
  killId: made.id,
  workflowId: made.workflowId,
  scope: made.scope,
  sessionId: made.sessionId,
  sessions: made.sessions,
  handoffs: made.handoffs,
  orphanedSteps: made.steps.map((stepId) => ({ stepId })),
  counts: { sessions: made.sessions.length, handoffs: made.handoffs.length, orphanedSteps: made.steps.length },
  state: killState(world, made),
})
/** A repeated kill names the kill that ended its target; of a cascade only the id is certain. */
const repeated = (world: World, id: string | null | undefined): ModelAnswer => {
  const made = must(
    world.kills.find((one) => one.id === id),
    `kill ${id}`,
  )
  return made.cause === "command" ? receiptOf(world, made) : { killId: made.id }
}

export const killWorkflow = (world: World, workflow: Workflow, ids: Ids, now: number, cause: Kill["cause"]): Kill => {
  const event = happening(workflow.id, now)
  const sessions = world.sessions.filter((one) => one.workflowId === workflow.id && one.status === "active")
  const handoffs = world.handoffs.filter((one) => one.workflowId === workflow.id && isOpen(one))
  workflow.status = "killed"
  const made = kill(world, event, ids, { scope: "workflow", target: null, cause }, sessions, handoffs)
  workflow.endedBy = [made.id]
  finish(world, event)
  return made
}

/** A session kill takes the session's own handoff and its unclaimed offers, and nothing else. */
const ownHandoffs = (world: World, session: Session): ReadonlyArray<Handoff> =>
  openHandoffsOf(world, [session]).filter((one) => claimantOf(one) === session.id || one.status === "offered")

export const killCommand = (world: World, command: CommandOf<"kill">, { now, ids }: Context): ModelAnswer => {
  if (command.scope === "workflow") {
    const workflow = workflowById(world, command.workflowId ?? "") ?? refuse("workflow_not_found")
    // Which of two kills ended a workflow whose root died first is not said: the harness accepts either.
    if (workflow.status === "killed") return { ...repeated(world, workflow.endedBy[0]), killIds: workflow.endedBy }
    if (workflow.status !== "active") refuse("workflow_not_active")
    return receiptOf(world, killWorkflow(world, workflow, ids, now, "command"))
  }
  const session = sessionById(world, command.sessionId ?? "") ?? refuse("session_not_found")
  const below = descendantsOf(world, session)
  const living = below.some((one) => one.status === "active")
  if (session.status === "killed" && !(command.scope === "subtree" && living)) return repeated(world, session.killId)
  if (session.status === "completed" || session.status === "failed") refuse("session_not_active")
  needVersion(world, session, command.expectedVersion)

  const event = happening(session.workflowId, now)
  const spared = command.scope === "session" || world.fault === "a subtree kill spares the descendants"
  const sessions = spared ? [session] : livingTree(world, session)
  const handoffs = spared ? ownHandoffs(world, session) : openHandoffsOf(world, [session, ...below])
  const how = { scope: command.scope, target: session, cause: "command" } as const
  const made = kill(world, event, ids, how, sessions, handoffs)
  finish(world, event)
  return receiptOf(world, made)
}
