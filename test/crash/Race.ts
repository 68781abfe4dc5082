/**
 * Work in which everybody wants the same: a few handoffs, three resources, one budget, and one root session that all act for.
 *
 * Unlike `Load`, every call is part of a history that is checked for linearizability, reads included. So the workflows stay
 * small, and each process moves on to the next one at its own pace. What got no answer is sent again under its key.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { CallOptions, Client } from "../../src/runtime/Client.ts"
import { type CommandName, codeOf } from "./lines.ts"
import type { Random } from "./Random.ts"
import { raceTeam } from "./raceTeam.ts"

export type ReadName = "getWorkflow" | "getHandoff"
export interface Asked {
  readonly workflowId: string
  readonly command: CommandName | ReadName
  readonly input: Readonly<Record<string, unknown>>
  readonly key?: string
}
export interface RaceOptions {
  readonly client: Client
  readonly random: Random
  /** Runs the call and writes down what was asked and answered. */
  readonly record: (asked: Asked, call: () => Promise<object>) => Promise<object>
  readonly prefix: string
  /** Workflows that follow each other are called by this name and a number. */
  readonly race: string
  readonly lanes: number
  readonly commands: number
  /** After that many commands of its own a process begins the next workflow. */
  readonly perWorkflow: number
  /** Milliseconds between two commands of a lane, on average. 0: none. */
  readonly restMs: number
}

const weights = {
  look: 9,
  getHandoff: 4,
  offer: 14,
  claim: 18,
  preflight: 3,
  propose: 24,
  receipt: 24,
  heartbeat: 5,
  release: 4,
  complete: 7,
  fail: 1,
  completeHandoff: 1,
  reclaim: 3,
  withdraw: 2,
  kill: 1,
  resolveStep: 3,
  approveStep: 5,
  rejectStep: 2,
  raiseLimits: 1,
} as const
type Choice = keyof typeof weights

/** What one process believes of one workflow. */
class Known {
  readonly offered = new Map<string, string>()
  readonly claimed = new Set<string>()
  readonly own = new Set<string>()
  readonly steps = new Map<string, string>()
  /** Steps that were seen to await approval. */
  readonly asked = new Set<string>()
  readonly prepared = new Map<string, string>()
  maxCost = 3
}

type Input = Record<string, unknown>
const keys = ["a", "b"] as const
/** As often is a call repeated that the store gave no answer to. */
const tries = 40

export class Race {
  readonly #options: RaceOptions
  readonly #random: Random
  readonly #known = new Map<string, Known>()
  #sent = 0
  #ids = 0
  #stopped = false

  constructor(options: RaceOptions) {
    this.#options = options
    this.#random = options.random
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.lanes }, () => this.#lane()))
  }

  /** Finishes what is under way, and begins nothing more. */
  stop(): void {
    this.#stopped = true
  }

  async #lane(): Promise<void> {
    const { commands, perWorkflow, race, restMs } = this.#options
    while (this.#sent < commands && !this.#stopped) {
      const workflowId = `${race}-${Math.floor(this.#sent / perWorkflow)}`
      this.#sent += 1
      const known = this.#known.get(workflowId)
      if (known === undefined) await this.#begin(workflowId)
      else await this.#act(workflowId, known)
      if (restMs > 0) await sleep(this.#random.below(2 * restMs))
    }
  }

  /** Everybody creates it; whoever comes second is told what the first was. */
  async #begin(workflowId: string): Promise<void> {
    this.#known.set(workflowId, new Known())
    const sessionId = `${workflowId}-root`
    await this.#send(workflowId, "createRoot", { workflowId, role: "lead", agent: "lead", sessionId })
  }

  async #act(workflowId: string, known: Known): Promise<void> {
    const choice = this.#random.weighted(weights)
    if (choice === "look") return this.#look(workflowId, known)
    const handoffId = this.#random.pick([...known.offered.keys(), ...known.claimed])
    if (choice === "getHandoff") {
      if (handoffId === undefined) return
      const asked = { workflowId, command: choice, input: { handoffId } } as const
      await this.#record(asked, () => this.#options.client.getHandoff(workflowId, handoffId))
      return
    }
    const input = this.#input(choice, workflowId, known, handoffId)
    if (input !== undefined) await this.#send(workflowId, choice, input, known)
  }

  /** What is open, and of what has ended a part: a look costs as much to check as all that it saw. */
  async #look(workflowId: string, known: Known): Promise<void> {
    const seen = await this.#record({ workflowId, command: "getWorkflow", input: {} }, async () => {
      const { handoffs, resources, approvals, ledger } = await this.#options.client.getWorkflow(workflowId)
      const open = (status: string) => ["offered", "claimed", "in_progress"].includes(status)
      const shown = handoffs.filter(({ status }) => open(status) || this.#random.chance(10))
      return { handoffs: shown, resources, approvals, ledger }
    })
    if (seen === undefined) return
    const { handoffs, resources, approvals } = seen
    known.asked.clear()
    for (const { stepId } of approvals) known.asked.add(stepId)
    known.offered.clear()
    known.claimed.clear()
    for (const { handoffId, status, toRole } of handoffs) {
      if (status === "offered") known.offered.set(handoffId, toRole)
      if (status === "claimed" || status === "in_progress") known.claimed.add(handoffId)
    }
    for (const { steps } of resources) for (const { stepId, sessionId } of steps) known.steps.set(stepId, sessionId)
  }

  #input(choice: Exclude<Choice, "look" | "getHandoff">, workflowId: string, known: Known, handoffId?: string) {
    const random = this.#random
    const root = `${workflowId}-root`
    const session = random.chance(25) ? root : (random.pick([...known.own]) ?? root)
    const child = random.pick([...known.own])
    const [stepId, owner] = random.pick([...known.steps]) ?? []
    switch (choice) {
      case "offer": {
        const bound = random.chance(15) ? { resources: [{ name: "doc", key: this.#key() }] } : {}
        return { sessionId: root, toRole: random.chance(60) ? "dev" : "ops", handoffId: this.#id("h"), ...bound }
      }
      case "claim": {
        const wanted = random.pick([...known.offered])
        if (wanted === undefined) return undefined
        const [id, role] = wanted
        const named = random.chance(70) ? { sessionId: this.#id("s") } : {}
        return { workflowId, handoffId: id, parentSessionId: root, role, agent: "worker", ...named }
      }
      case "preflight":
        return { sessionId: session, estimatedCost: 0.25 }
      case "propose":
        return this.#proposal(session, known)
      case "receipt":
        if (stepId === undefined) return undefined
        return {
          sessionId: owner,
          receipts: [{ stepId, outcome: random.chance(75) ? "committed" : "aborted", ...this.#paid() }],
        }
      case "heartbeat":
        return child === undefined ? undefined : { sessionId: child }
      case "release":
        return { sessionId: session, resources: [{ name: "doc", key: this.#key() }] }
      case "complete":
        return child === undefined ? undefined : { sessionId: child, result: { done: true } }
      case "fail":
        return child === undefined ? undefined : { sessionId: child, reason: "gave up" }
      case "completeHandoff":
      case "reclaim":
      case "withdraw":
        return handoffId === undefined ? undefined : { workflowId, handoffId }
      case "kill":
        return child === undefined ? undefined : { scope: "subtree", sessionId: child, reason: "stop" }
      case "resolveStep":
        if (stepId === undefined) return undefined
        return { workflowId, stepId, outcome: random.chance(50) ? "committed" : "aborted", reason: "looked" }
      case "approveStep":
      case "rejectStep": {
        const asked = random.chance(90) ? random.pick([...known.asked]) : stepId
        return asked === undefined ? undefined : { workflowId, stepId: asked, reason: "looked" }
      }
      case "raiseLimits":
        known.maxCost += 1
        return { workflowId, limits: { maxCost: known.maxCost } }
    }
  }

  #id(kind: string): string {
    this.#ids += 1
    return `${this.#options.prefix}-${kind}${this.#ids}`
  }
  #key(): string {
    return this.#random.pick(keys) ?? "a"
  }
  #paid(): Input {
    return this.#random.chance(50) ? { actualCost: this.#random.below(60) / 100 } : {}
  }

  #proposal(sessionId: string, known: Known): Input {
    const random = this.#random
    const names = random.weighted({ env: 30, line: 30, doc: 20, none: 15, both: 5 })
    const ref = (name: string) => ({ name, key: this.#key() })
    const resources = names === "none" ? [] : names === "both" ? [ref("env"), ref("line")] : [ref(names)]
    const preparedRequestId = [...known.prepared].find(([, of]) => of === sessionId)?.[0]
    if (preparedRequestId !== undefined) known.prepared.delete(preparedRequestId)
    return {
      sessionId,
      calls: Array.from({ length: random.chance(10) ? 2 : 1 }, () => ({
        tool: random.chance(35) ? "deploy" : "work",
        estimatedCost: random.between(1, 60) / 100,
        ...(resources.length === 0 ? {} : { resources }),
      })),
      ...(preparedRequestId === undefined ? {} : { preparedRequestId }),
      ...(random.chance(10) ? { usage: { inputTokens: 1, outputTokens: 1, cost: 0.02 } } : {}),
      ...(random.chance(20) ? { wait: false } : {}),
    }
  }

  async #send(workflowId: string, command: CommandName, input: Input, known?: Known): Promise<void> {
    const { client, prefix } = this.#options
    const keyed = command !== "createRoot" && this.#random.chance(60)
    const options: CallOptions = { workflowId, ...(keyed ? { idempotencyKey: `${prefix}-k${this.#id("n")}` } : {}) }
    const full = command === "createRoot" ? { ...input, definition: raceTeam } : input
    const key = options.idempotencyKey
    const asked = { workflowId, command, input, ...(key === undefined ? {} : { key }) }
    // The input is made for the command of that name; the types of all commands at once say nothing more.
    const call = client[command] as (input: object, options: CallOptions) => Promise<object>
    const answer = await this.#record(asked, () => call.call(client, full, options), keyed || command === "createRoot")
    if (answer !== undefined && known !== undefined) learn(known, command, input, answer as Input)
  }

  /** Undefined where it was refused. What may have happened without an answer is asked again, where that is safe. */
  async #record<A extends object>(asked: Asked, call: () => Promise<A>, again = false): Promise<A | undefined> {
    for (let n = 0; n < tries; n++) {
      try {
        return (await this.#options.record(asked, call)) as A
      } catch (error) {
        if (codeOf(error) === undefined) throw error
        if (codeOf(error) !== "storage_unavailable" || !again || this.#stopped) return undefined
        await sleep(this.#random.between(5, 50))
      }
    }
    return undefined
  }
}

const learn = (known: Known, command: CommandName, input: Input, answer: Input): void => {
  const text = (value: unknown): string => String(value)
  switch (command) {
    case "offer":
      known.offered.set(text(answer.handoffId), text(input.toRole))
      break
    case "claim":
      known.offered.delete(text(input.handoffId))
      known.claimed.add(text(input.handoffId))
      known.own.add(text(answer.sessionId))
      break
    case "preflight":
      known.prepared.set(text(answer.preparedRequestId), text(input.sessionId))
      break
    case "propose":
      for (const { stepId, status } of answer.steps as ReadonlyArray<{
        readonly stepId: string
        readonly status: string
      }>) {
        known.steps.set(stepId, text(input.sessionId))
        if (status === "awaiting_approval") known.asked.add(stepId)
      }
      break
    case "receipt":
      for (const { stepId } of answer.steps as ReadonlyArray<{ readonly stepId: string }>) known.steps.delete(stepId)
      break
    case "approveStep":
      known.asked.delete(text(input.stepId))
      break
    case "rejectStep":
    case "resolveStep":
      known.asked.delete(text(input.stepId))
      known.steps.delete(text(input.stepId))
      break
    case "complete":
    case "fail":
      known.own.delete(text(input.sessionId))
  }
}
