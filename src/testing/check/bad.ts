/** Agents that behave badly: greedy, lying, crashing. Slowness is a matter of time, and is in `Crew.ts`. */
import type { Call, Command } from "../../machines/commands.ts"
import type { Fence } from "../../machines/ids.ts"
import type { Handoff, Step } from "../../machines/state.ts"
import type { Scene, Turn } from "./Agent.ts"
import { goodTurn, offerOne, receiptOf } from "./good.ts"

/** Takes as much as it is given: many calls at once, dear ones, more helpers, and never lets go of what it owns. */
export const greedyTurn = (scene: Scene): Turn => {
  const { random, session, plan, agent } = scene
  if (agent.offers > 0 && random.chance(50)) return offerOne(scene)
  if (agent.steps > 0 && random.chance(70)) {
    const calls: Array<Call> = []
    for (let more = random.between(1, 6); more > 0; more -= 1) {
      const call = plan.call(session.role, random)
      if (call !== undefined) calls.push(dearer(scene, call))
    }
    if (calls.length > 0) return { _tag: "propose", sessionId: session.sessionId, calls }
  }
  if (random.chance(8)) return { _tag: "preflight", sessionId: session.sessionId, ...dearer(scene, {}) }
  return goodTurn(scene)
}

/** Estimated high: a quarter of what may be spent at all, and often the whole of it. */
const dearer = <C extends { readonly estimatedCost?: number; readonly estimatedTokens?: number }>(
  { plan, session, random, state }: Scene,
  call: C,
): C => {
  if (!random.chance(60)) return call
  const most = state.roleLimits.get(session.role)?.maxCost ?? state.limits.maxCost ?? plan.role(session.role).cost[1]
  const estimatedCost = Math.floor(most / random.between(1, 8))
  return { ...call, estimatedCost }
}

/** Dies at any point, most likely between the admission of a call and its receipt. */
export const crashTurn = (scene: Scene): Turn =>
  scene.random.chance(scene.session.steps.size > 0 ? 35 : 12) ? "crash" : goodTurn(scene)

/** Lies: about what a call cost, about what became of it, about what it holds, about who it is. */
export const lyingTurn = (scene: Scene): Turn => {
  const { random, session, state, plan, agent, settings } = scene
  const { sessionId } = session
  const step = admittedOf(scene)
  if (step !== undefined && random.chance(70)) {
    if (random.chance(25))
      return { _tag: "receipt", sessionId, receipts: [{ stepId: step.stepId, outcome: "unknown" }] }
    if (random.chance(10)) return withFences(scene, step, (token) => token + 1)
    if (random.chance(10)) return withFences(scene, step, (token) => Math.max(1, token - 1))
    const base = step.cost > 0 ? step.cost : plan.role(session.role).cost[1]
    return receiptOf(scene, step, Math.floor(base * (1 + random.next() * (settings.overrun - 1))))
  }
  if (random.chance(isSpent(scene) ? 60 : 12)) return freeCall(scene)
  if (!random.chance(35)) return goodTurn(scene)
  const handoff = random.pick([...state.handoffs.values()])
  switch (random.below(9)) {
    case 0:
      return agent.last ?? "wait"
    case 1:
      return freeCall(scene)
    case 2:
      return handoff === undefined ? "wait" : claimAs(scene, handoff, session.role)
    case 3:
      return handoff === undefined ? "wait" : claimAs(scene, handoff, handoff.toRole)
    case 4:
      return handoff === undefined
        ? "wait"
        : { _tag: "withdraw", workflowId: state.workflowId, handoffId: handoff.handoffId, sessionId }
    case 5:
      return handoff === undefined
        ? "wait"
        : { _tag: "reclaim", workflowId: state.workflowId, handoffId: handoff.handoffId, sessionId }
    case 6:
      return { _tag: "complete", sessionId, expectedVersion: session.version + random.below(2) }
    case 7: {
      const other = random.pick([...state.steps.values()])
      return other === undefined
        ? "wait"
        : { _tag: "receipt", sessionId, receipts: [{ stepId: other.stepId, outcome: "committed" }] }
    }
    default: {
      const call = plan.call(session.role, random)
      const usage = { inputTokens: 10, outputTokens: 10, cost: random.below(1000) }
      return call === undefined ? "wait" : { _tag: "propose", sessionId, calls: [call], usage }
    }
  }
}

/** A call that is said to cost nothing: no limit on cost or tokens refuses it. */
const freeCall = ({ plan, session, random }: Scene): Turn => {
  const call = plan.call(session.role, random)
  if (call === undefined) return "wait"
  const { sessionId } = session
  return { _tag: "propose", sessionId, calls: [{ ...call, estimatedCost: 0, estimatedTokens: 0 }] }
}

/** Whether money is used up, so that only a lie gets a call admitted. */
const isSpent = ({ state }: Scene): boolean =>
  state.limits.maxCost !== null && state.account.costUsed >= state.limits.maxCost

const admittedOf = ({ session, state }: Scene): Step | undefined => {
  for (const stepId of session.steps) {
    const step = state.steps.get(stepId)
    if (step?.status === "admitted") return step
  }
  return undefined
}

const withFences = ({ session }: Scene, step: Step, change: (token: number) => number): Command => ({
  _tag: "receipt",
  sessionId: session.sessionId,
  receipts: [
    {
      stepId: step.stepId,
      outcome: "committed",
      fences: step.fences.map((fence): Fence => ({ ...fence, token: change(fence.token) })),
    },
  ],
})

/** Claims what is not its own: in a wrong role, or as if another had offered it. */
const claimAs = ({ state, session }: Scene, handoff: Handoff, role: string): Command => ({
  _tag: "claim",
  workflowId: state.workflowId,
  handoffId: handoff.handoffId,
  parentSessionId: session.sessionId,
  role,
  agent: "liar",
})
