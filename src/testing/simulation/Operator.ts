/** Operators: whoever acts on workflows from outside, on what the board says. They kill, take back, approve, resolve, look. */
import { Effect } from "effect"
import type { Board } from "./Board.ts"
import type { Calls, Letter, Patience, Sendable } from "./Calls.ts"
import type { Chance } from "./Chance.ts"

export interface OperatorOptions {
  readonly name: string
  readonly chance: Chance
  readonly calls: Calls
  readonly board: Board
  readonly key: () => string | undefined
  readonly patience: () => Patience
}

const deeds = [
  "completeHandoff",
  "failHandoff",
  "reclaim",
  "withdraw",
  "resolveStep",
  "approveStep",
  "rejectStep",
  "raiseLimits",
  "kill",
  "look",
] as const

export class Operator {
  readonly #o: OperatorOptions

  constructor(options: OperatorOptions) {
    this.#o = options
  }

  act(): Effect.Effect<void> {
    const { chance, board } = this.#o
    const deed = chance.among(...deeds)
    const ticket = chance.pick(board.tickets)
    const session = chance.pick(board.sessions)
    if (deed === "look") return session === undefined ? Effect.void : this.look(session)
    if (deed === "kill") {
      if (session === undefined) return Effect.void
      return this.kill({ ...session, scope: chance.chance(0.5) ? "session" : "subtree" })
    }
    if (deed === "resolveStep") return this.#resolve()
    if (deed === "approveStep" || deed === "rejectStep") return this.#decide(deed)
    if (deed === "raiseLimits") return this.#raise()
    if (ticket === undefined) return Effect.void
    const { workflowId, handoffId } = ticket
    const about = { workflowId, handoffId, ...(chance.chance(0.1) ? { generation: chance.between(1, 2) } : {}) }
    switch (deed) {
      case "completeHandoff":
        return this.#send(deed, workflowId, { ...about, result: { by: "operator" } })
      case "failHandoff":
        return this.#send(deed, workflowId, { ...about, reason: "no" })
      case "reclaim":
      case "withdraw":
        return this.#send(deed, workflowId, about)
    }
  }

  kill(target: {
    readonly workflowId: string
    readonly sessionId?: string
    readonly scope: Scope
  }): Effect.Effect<void> {
    const { workflowId, sessionId, scope } = target
    const who = scope === "workflow" || sessionId === undefined ? { workflowId } : { sessionId }
    return this.#send("kill", workflowId, { ...who, scope, reason: "stop" })
  }

  /** Resumes as the session and reads it: what it says must be of now. */
  look({ workflowId, sessionId }: { readonly workflowId: string; readonly sessionId: string }): Effect.Effect<void> {
    return this.#send("attach", workflowId, { sessionId })
  }

  #resolve(): Effect.Effect<void> {
    const { chance, board } = this.#o
    const step = chance.pick(board.steps)
    if (step === undefined) return Effect.void
    const outcome = chance.among("committed", "aborted")
    return this.#send("resolveStep", step.workflowId, { ...step, outcome, reason: "looked" })
  }

  /** As a rule on a step that was seen to await it; now and then on any, or once more. */
  #decide(deed: "approveStep" | "rejectStep"): Effect.Effect<void> {
    const { chance, board } = this.#o
    const step = chance.pick(chance.chance(0.1) ? board.steps : board.approvals)
    return step === undefined ? Effect.void : this.#send(deed, step.workflowId, { ...step, reason: "looked" })
  }

  #raise(): Effect.Effect<void> {
    const { chance, board } = this.#o
    const workflowId = chance.pick([...board.workflows])
    if (workflowId === undefined) return Effect.void
    const name = chance.among("maxSessions", "maxSteps", "maxCost", "maxTokens", "maxOpenHandoffs", "maxDurationMs")
    const value = name === "maxTokens" || name === "maxDurationMs" ? chance.between(500, 60_000) : chance.between(2, 40)
    return this.#send("raiseLimits", workflowId, { workflowId, limits: { [name]: value } })
  }

  #send<K extends Exclude<Sendable, "createRoot">>(
    name: K,
    workflowId: string,
    input: Letter<K>["input"],
  ): Effect.Effect<void> {
    const { calls, board, key, patience } = this.#o
    const letter = { tenant: board.tenant, agent: this.#o.name, workflowId, name, input, key: key(), operator: "op" }
    return Effect.asVoid(calls.send(letter, patience()))
  }
}

type Scope = "session" | "subtree" | "workflow"
