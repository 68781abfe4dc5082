/**
 * Random work on a few workflows, as careless agents would do it: offers, claims that race, proposals on shared resources,
 * receipts, ends, kills. Most commands make sense; some name what has ended since, or what others are about to take.
 *
 * It says what it is about to send and what it was answered, so that whoever reads along knows what must be in the journal.
 */
import type { Client } from "../../src/runtime/Client.ts"
import { plainAnswer } from "../../src/testing/checkers/history.ts"
import { type CommandName, codeOf, type Line } from "./lines.ts"
import type { Random } from "./Random.ts"
import { edges, resourceNames, teamYaml } from "./team.ts"

export interface LoadOptions {
  readonly client: Client
  readonly random: Random
  readonly say: (line: Line) => void
  /** Makes ids and keys unique to this process. */
  readonly prefix: string
  readonly workflows: number
  /** Commands that are under way at a time. */
  readonly lanes: number
  readonly commands: number
}

interface Step {
  readonly sessionId: string
  readonly status: string
  readonly cost: number
}
/** What this process believes of a workflow; others may know better. */
class Known {
  readonly sessions = new Map<string, { readonly role: string; readonly root: boolean }>()
  readonly dead: Array<string> = []
  readonly offered = new Map<string, { readonly from: string; readonly toRole: string }>()
  readonly claimed = new Map<string, { readonly from: string }>()
  readonly steps = new Map<string, Step>()
  readonly prepared = new Map<string, string>()
  ended = false
}

/** Its team asks for no approval: `Race` does. */
type Loaded = Exclude<CommandName, "approveStep" | "rejectStep">
const weights: Readonly<Record<Loaded | "look", number>> = {
  createRoot: 1,
  claim: 22,
  offer: 16,
  preflight: 4,
  propose: 24,
  receipt: 26,
  heartbeat: 3,
  release: 3,
  complete: 10,
  fail: 1.5,
  completeHandoff: 2,
  failHandoff: 1,
  reclaim: 2,
  withdraw: 2,
  kill: 2.5,
  resolveStep: 2,
  raiseLimits: 1,
  look: 4,
}

/** Codes that tell of a bug, or of a store that is not what was written. */
const impossible = ["internal", "storage_corrupt", "idempotency_mismatch", "invalid_request", "invalid_definition"]

type Input = Record<string, unknown>

export class Load {
  readonly #options: LoadOptions
  readonly #random: Random
  readonly #known = new Map<string, Known>()
  readonly #generation: Array<number> = []
  #sent = 0
  #ids = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.#random = options.random
  }

  async run(): Promise<void> {
    const { lanes, workflows } = this.#options
    for (let index = 0; index < workflows; index++) this.#generation.push(0)
    await Promise.all(Array.from({ length: lanes }, () => this.#lane()))
  }

  async #lane(): Promise<void> {
    while (this.#sent < this.#options.commands) {
      const index = this.#random.below(this.#options.workflows)
      const workflowId = `wf-${index}-${this.#generation[index]}`
      const known = this.#known.get(workflowId)
      if (known?.ended === true) this.#generation[index] = (this.#generation[index] ?? 0) + 1
      else if (known === undefined) await this.#begin(workflowId)
      else await this.#act(workflowId, known)
    }
  }

  async #begin(workflowId: string): Promise<void> {
    const input = { workflowId, role: "lead", agent: "planner", sessionId: `${workflowId}-root` }
    await this.#send(workflowId, "createRoot", input)
    await this.#look(workflowId)
  }

  /** Learns what the workflow is like now. */
  async #look(workflowId: string): Promise<void> {
    const view = await this.#options.client.getWorkflow(workflowId).catch((error: unknown) => {
      if (!impossible.includes(codeOf(error) ?? "internal")) return undefined
      this.#options.say({ t: "bug", n: -1, text: `getWorkflow: ${String(error)}` })
      return undefined
    })
    if (view === undefined) return
    const known = new Known()
    known.ended = view.status !== "active"
    for (const { sessionId, role, status, parentSessionId } of view.sessions)
      if (status === "active") known.sessions.set(sessionId, { role, root: parentSessionId === null })
      else known.dead.push(sessionId)
    for (const { handoffId, fromSessionId, toRole, status } of view.handoffs) {
      if (status === "offered") known.offered.set(handoffId, { from: fromSessionId, toRole })
      if (status === "claimed" || status === "in_progress") known.claimed.set(handoffId, { from: fromSessionId })
    }
    for (const resource of view.resources)
      for (const { stepId, sessionId, status } of resource.steps)
        known.steps.set(stepId, { sessionId, status, cost: 0.5 })
    this.#known.set(workflowId, known)
  }

  async #act(workflowId: string, known: Known): Promise<void> {
    const name = this.#random.weighted(weights)
    if (name === "look" || known.sessions.size === 0) return this.#look(workflowId)
    const input = name === "createRoot" ? undefined : this.#input(name, workflowId, known)
    if (input !== undefined && name !== "createRoot") await this.#send(workflowId, name, input)
    else if (this.#random.chance(10)) await this.#look(workflowId)
  }

  #someSession(known: Known): string {
    if (known.dead.length > 0 && this.#random.chance(4)) return this.#random.pick(known.dead) ?? ""
    return this.#random.pick([...known.sessions.keys()]) ?? ""
  }

  #id(kind: string): string {
    this.#ids += 1
    return `${this.#options.prefix}-${kind}${this.#ids}`
  }

  #input(name: Exclude<Loaded, "createRoot">, workflowId: string, known: Known): Input | undefined {
    const random = this.#random
    const sessionId = this.#someSession(known)
    const anyHandoff = () => random.pick([...known.claimed.keys(), ...known.offered.keys()])
    switch (name) {
      case "offer": {
        const toRole = random.pick(edges[known.sessions.get(sessionId)?.role ?? ""] ?? [])
        if (toRole === undefined) return undefined
        const named = random.chance(40) ? { handoffId: this.#id("h") } : {}
        const bound = random.chance(20) ? { resources: [{ name: "doc", key: this.#key() }] } : {}
        return { sessionId, toRole, summary: { task: `t${random.below(1000)}` }, ...named, ...bound }
      }
      case "claim": {
        const handoffId = random.pick([...known.offered.keys()])
        const offered = known.offered.get(handoffId ?? "")
        if (handoffId === undefined || offered === undefined) return undefined
        const named = random.chance(50) ? { sessionId: this.#id("s") } : {}
        return { workflowId, handoffId, parentSessionId: offered.from, role: offered.toRole, agent: "worker", ...named }
      }
      case "preflight":
        return { sessionId, estimatedCost: 0.3, estimatedTokens: 10 }
      case "propose":
        return this.#proposal(sessionId, known)
      case "receipt": {
        const stepId = random.pick([...known.steps.keys()])
        const step = known.steps.get(stepId ?? "")
        if (stepId === undefined || step === undefined) return undefined
        const outcome = random.weighted({ committed: 8, aborted: 3, unknown: 1 })
        const paid = outcome !== "unknown" && random.chance(40) ? { actualCost: random.below(100) / 100 } : {}
        return { sessionId: step.sessionId, receipts: [{ stepId, outcome, ...paid }] }
      }
      case "heartbeat":
        return { sessionId }
      case "release":
        return { sessionId, resources: [{ name: "doc", key: this.#key() }] }
      case "complete": {
        const child = random.pick([...known.sessions].filter(([, one]) => !one.root || random.chance(3)))?.[0]
        return child === undefined ? undefined : { sessionId: child, result: { n: random.below(10) } }
      }
      case "fail": {
        const child = random.pick([...known.sessions].filter(([, one]) => !one.root || random.chance(2)))?.[0]
        return child === undefined ? undefined : { sessionId: child, reason: "gave up" }
      }
      case "completeHandoff":
      case "failHandoff":
      case "reclaim":
      case "withdraw": {
        const handoffId = anyHandoff()
        if (handoffId === undefined) return undefined
        return { workflowId, handoffId, ...(name === "failHandoff" ? { reason: "an operator said so" } : {}) }
      }
      case "kill": {
        if (random.chance(2)) return { workflowId, scope: "workflow", reason: "stop" }
        const target = random.chance(15) ? random.pick(known.dead) : undefined
        const child = random.pick([...known.sessions].filter(([, one]) => !one.root || random.chance(2)))?.[0]
        const killed = target ?? child
        return killed === undefined
          ? undefined
          : { scope: random.chance(60) ? "subtree" : "session", sessionId: killed, reason: "stop" }
      }
      case "resolveStep": {
        const stepId = random.pick([...known.steps.keys()])
        return stepId === undefined
          ? undefined
          : { workflowId, stepId, outcome: random.chance(50) ? "committed" : "aborted", reason: "an operator looked" }
      }
      case "raiseLimits":
        return { workflowId, limits: { maxCost: 2000 + random.below(5000) } }
    }
  }

  #key(): string {
    return this.#random.chance(70) ? "a" : "b"
  }

  #proposal(sessionId: string, known: Known): Input {
    const random = this.#random
    const calls = Array.from({ length: random.chance(20) ? 3 : 1 }, () => ({
      tool: "work",
      arguments: { n: random.below(100) },
      estimatedCost: random.below(100) / 100,
      ...(random.chance(75) ? { resources: [{ name: random.pick(resourceNames) ?? "line", key: this.#key() }] } : {}),
    }))
    const preparedRequestId = [...known.prepared].find(([, owner]) => owner === sessionId)?.[0]
    if (preparedRequestId !== undefined) known.prepared.delete(preparedRequestId)
    return {
      sessionId,
      calls,
      ...(preparedRequestId === undefined ? {} : { preparedRequestId }),
      ...(random.chance(25) ? { usage: { inputTokens: 10, outputTokens: 5, cost: 0.01 } } : {}),
      ...(random.chance(15) ? { wait: false } : {}),
    }
  }

  async #send(workflowId: string, command: CommandName, input: Input): Promise<void> {
    const { client, say, prefix } = this.#options
    this.#sent += 1
    const n = this.#sent
    const key = command !== "createRoot" && this.#random.chance(70) ? `${prefix}-k${n}` : undefined
    say({ t: "sent", n, workflowId, command, input, ...(key === undefined ? {} : { key }) })
    try {
      const full = command === "createRoot" ? { ...input, definition: teamYaml } : input
      // The input is made for the command of that name; the types of all commands at once say nothing more.
      const call = client[command] as (input: Input, options: object) => Promise<object>
      const hinted = this.#random.chance(70) ? { workflowId } : {}
      const answered = await call.call(client, full, {
        ...hinted,
        ...(key === undefined ? {} : { idempotencyKey: key }),
      })
      const answer = plainAnswer(answered)
      say({ t: "ok", n, answer })
      this.#learn(workflowId, command, input, answer)
    } catch (error) {
      const code = codeOf(error) ?? "internal"
      const typed = !impossible.includes(code)
      if (typed) say({ t: "no", n, code })
      else say({ t: "bug", n, text: `${command} ${JSON.stringify(input)}: ${String(error)}` })
      if (typed && this.#random.chance(30)) await this.#look(workflowId)
    }
  }

  #learn(workflowId: string, command: CommandName, input: Input, answer: Readonly<Record<string, unknown>>): void {
    const known = this.#known.get(workflowId)
    if (known === undefined) return
    const text = (value: unknown): string => String(value)
    if (command === "offer")
      known.offered.set(text(answer.handoffId), { from: text(input.sessionId), toRole: text(input.toRole) })
    if (command === "claim") {
      known.offered.delete(text(input.handoffId))
      known.claimed.set(text(input.handoffId), { from: text(input.parentSessionId) })
      known.sessions.set(text(answer.sessionId), { role: text(input.role), root: false })
    }
    if (command === "preflight") known.prepared.set(text(answer.preparedRequestId), text(input.sessionId))
    if (command === "propose")
      for (const { stepId, status } of answer.steps as ReadonlyArray<{ stepId: string; status: string }>)
        known.steps.set(stepId, { sessionId: text(input.sessionId), status, cost: 0 })
    if (command === "receipt")
      for (const { stepId, unknown } of answer.steps as ReadonlyArray<{ stepId: string; unknown: boolean }>)
        if (!unknown) known.steps.delete(stepId)
    if (command === "complete" || command === "fail") known.sessions.delete(text(input.sessionId))
    if (command === "kill") {
      for (const id of answer.sessions as ReadonlyArray<string>) {
        known.sessions.delete(id)
        known.dead.push(id)
      }
      if (input.scope === "workflow") known.ended = true
    }
    if (answer.workflowStatus !== undefined && answer.workflowStatus !== "active") known.ended = true
  }
}
