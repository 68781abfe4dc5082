/**
 * What can be seen of a world from outside, in one normal form: the model and every implementation are compared in it.
 *
 * Money is in micro-units. Lists that have no order of their own are sorted by id.
 */
import { killState } from "./endings.ts"
import { type Ledger, ledgerOf } from "./ledger.ts"
import { claimantOf, isHeld, isUnresolved, stepsOn } from "./queries.ts"
import type { HandoffStatus, LifeStatus, World } from "./state.ts"

export type { Counter, Ledger } from "./ledger.ts"

export interface ObservedSession {
  readonly id: string
  readonly status: LifeStatus
  /** Of a session that has ended: the version at its end. */
  readonly version: number
  readonly role: string
  readonly parent: string | null
}
export interface ObservedHandoff {
  readonly id: string
  readonly status: HandoffStatus
  readonly generation: number
  /** Who holds it now: null unless it is claimed or in progress. */
  readonly claimant: string | null
}
export interface ObservedStep {
  readonly id: string
  readonly session: string
  readonly status: "awaiting_approval" | "queued" | "admitted" | "orphaned"
  readonly unknown: boolean
  /** Epoch ms; null unless it awaits approval. */
  readonly approvalDeadline: number | null
}
export interface ObservedResource {
  readonly name: string
  readonly key: string
  readonly owner: string | null
  readonly fence: number
  readonly version: number
  /** The unresolved steps that name it, whatever its mode, in the order in which they were proposed. */
  readonly holders: ReadonlyArray<string>
}
export interface ObservedKill {
  readonly id: string
  readonly scope: "session" | "subtree" | "workflow"
  readonly state: "fenced" | "quiescent"
}
export interface WorkflowObservation {
  readonly status: LifeStatus
  readonly sessions: ReadonlyArray<ObservedSession>
  readonly handoffs: ReadonlyArray<ObservedHandoff>
  /** Unresolved ones only. */
  readonly steps: ReadonlyArray<ObservedStep>
  /** Without those of which nothing is to be said: no fence, no version, no owner, no holder. */
  readonly resources: ReadonlyArray<ObservedResource>
  readonly ledger: { readonly workflow: Ledger; readonly roles: Readonly<Record<string, Ledger>> }
  /** Those of kill commands at least; cascades and `max_duration` may be listed too and are not compared. */
  readonly kills: ReadonlyArray<ObservedKill>
}
/** By workflow id. */
export interface Observation {
  readonly workflows: Readonly<Record<string, WorkflowObservation>>
}

const byId = <T extends { readonly id: string }>(things: ReadonlyArray<T>): ReadonlyArray<T> =>
  [...things].sort((a, b) => (a.id < b.id ? -1 : 1))
const byRef = (things: ReadonlyArray<ObservedResource>): ReadonlyArray<ObservedResource> =>
  [...things].sort((a, b) => (`${a.name} ${a.key}` < `${b.name} ${b.key}` ? -1 : 1))

/** The order of an observation made canonical; an adapter need not sort. */
export const normalise = (seen: Observation): Observation => ({
  workflows: Object.fromEntries(
    Object.entries(seen.workflows).map(([id, one]) => [
      id,
      {
        ...one,
        sessions: byId(one.sessions),
        handoffs: byId(one.handoffs),
        steps: byId(one.steps),
        kills: byId(one.kills),
        resources: byRef(
          one.resources.filter((r) => r.fence > 0 || r.version > 0 || r.owner !== null || r.holders.length > 0),
        ),
      },
    ]),
  ),
})

const observeWorkflow = (world: World, workflowId: string, status: LifeStatus): WorkflowObservation => {
  const here = <T extends { readonly workflowId: string }>(things: ReadonlyArray<T>) =>
    things.filter((thing) => thing.workflowId === workflowId)
  return {
    status,
    sessions: here(world.sessions).map(({ id, status, version, role, parent }) => ({
      id,
      status,
      version,
      role,
      parent,
    })),
    handoffs: here(world.handoffs).map((handoff) => ({
      id: handoff.id,
      status: handoff.status,
      generation: handoff.generation,
      claimant: isHeld(handoff) ? claimantOf(handoff) : null,
    })),
    steps: here(world.steps)
      .filter(isUnresolved)
      .map(({ id, sessionId, status, unknown, deadline }) => ({
        id,
        session: sessionId,
        status: status as ObservedStep["status"],
        unknown,
        approvalDeadline: status === "awaiting_approval" ? deadline : null,
      })),
    resources: here(world.resources).map((resource) => ({
      name: resource.name,
      key: resource.key,
      owner: resource.owner,
      fence: resource.fence,
      version: resource.version,
      holders: stepsOn(world, workflowId, resource).map((step) => step.id),
    })),
    ledger: {
      workflow: ledgerOf(world, workflowId, null),
      roles: Object.fromEntries(world.definition.roles.map(({ name }) => [name, ledgerOf(world, workflowId, name)])),
    },
    kills: here(world.kills)
      .filter((kill) => kill.cause === "command")
      .map((kill) => ({ id: kill.id, scope: kill.scope, state: killState(world, kill) })),
  }
}

export const observe = (world: World): Observation =>
  normalise({
    workflows: Object.fromEntries(world.workflows.map(({ id, status }) => [id, observeWorkflow(world, id, status)])),
  })
