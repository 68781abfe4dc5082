/** An agent that behaves well: it works off its plan, reports what it did, waits for its children, and completes. */
import type { Command } from "../../machines/commands.ts"
import type { ResourceRef } from "../../machines/ids.ts"
import type { Step } from "../../machines/state.ts"
import type { Agent, Scene, Turn } from "./Agent.ts"

/** Refusals in a row after which an agent gives up what it wanted. */
const patience = 4
/** Turns of waiting after which a parent withdraws what nobody claims, and an agent leaves a queue or hopes for no approval. */
const longWait = 12

export const goodTurn = (scene: Scene): Turn => {
  const { state, session, agent, random } = scene
  const { sessionId } = session
  for (const stepId of session.steps) {
    const step = state.steps.get(stepId)
    if (step?.status === "admitted") return receiptOf(scene, step, honestCost(scene, step))
    if ((step?.status === "queued" || step?.status === "awaiting_approval") && agent.waits > longWait)
      return { _tag: "receipt", sessionId, receipts: [{ stepId, outcome: "aborted" }] }
  }
  if (session.steps.size > 0) return "wait"
  if (agent.tries > patience) giveUp(agent)
  const wantsStep = agent.steps > 0 && (agent.offers === 0 || random.chance(60))
  if (wantsStep) return proposeOne(scene)
  if (agent.offers > 0) return offerOne(scene)
  return waitsForOthers(scene) ?? { _tag: "complete", sessionId }
}

const waitsForOthers = ({ state, session, agent }: Scene): Turn | undefined => {
  for (const handoffId of session.offers) {
    const handoff = state.handoffs.get(handoffId)
    if (handoff?.status === "offered" && agent.waits > longWait)
      return { _tag: "withdraw", workflowId: state.workflowId, handoffId, sessionId: session.sessionId }
  }
  if (session.offers.size > 0) return "wait"
  for (const child of session.children) if (state.sessions.get(child)?.status === "active") return "wait"
  return undefined
}

export const giveUp = (agent: Agent): void => {
  agent.steps = 0
  agent.offers = 0
  agent.tries = 0
}

const proposeOne = ({ plan, session, random, agent }: Scene): Turn => {
  const { sessionId } = session
  const call = plan.call(session.role, random)
  if (call === undefined) {
    agent.steps = 0
    return "wait"
  }
  const { estimatedCost } = call
  const estimate = estimatedCost === undefined ? {} : { estimatedCost }
  const prepared = session.prepared.values().next().value
  // Now and then room is reserved before a model is asked.
  if (prepared === undefined && random.chance(8)) return { _tag: "preflight", sessionId, ...estimate }
  return {
    _tag: "propose",
    sessionId,
    calls: [call],
    ...(prepared === undefined ? {} : { preparedRequestId: prepared }),
  }
}

export const offerOne = ({ plan, state, session, random, agent }: Scene): Turn => {
  const edge = random.pick(plan.role(session.role).edges)
  if (edge === undefined) {
    agent.offers = 0
    return "wait"
  }
  const bound = random.chance(25) ? boundWith(state, session.owns) : []
  return {
    _tag: "offer",
    sessionId: session.sessionId,
    toRole: edge.to,
    ...(bound.length > 0 ? { resources: bound } : {}),
  }
}

/** What it owns goes along with the work. */
const boundWith = (state: Scene["state"], keys: ReadonlySet<string>): ReadonlyArray<ResourceRef> => {
  const refs: Array<ResourceRef> = []
  for (const key of keys) {
    const ref = state.resources.get(key)?.ref
    if (ref !== undefined && refs.length < 2) refs.push(ref)
  }
  return refs
}

/** Half the estimate to all of it. */
const honestCost = ({ random }: Scene, step: Step): number => Math.ceil(step.cost * (0.5 + random.next() / 2))

export const receiptOf = ({ session, random }: Scene, step: Step, actualCost: number): Command =>
  random.chance(92)
    ? {
        _tag: "receipt",
        sessionId: session.sessionId,
        receipts: [
          { stepId: step.stepId, outcome: "committed", actualCost, actualTokens: step.tokens, fences: step.fences },
        ],
      }
    : { _tag: "receipt", sessionId: session.sessionId, receipts: [{ stepId: step.stepId, outcome: "aborted" }] }
