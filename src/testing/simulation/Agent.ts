/**
 * An agent: it founds a workflow or claims what is on offer, works as the session that it got, and may be slow, greedy, careless,
 * wrong, or gone. It knows only what it was told.
 */
import { Effect } from "effect"
import type { Answers } from "../../machines/answers.ts"
import type { InputOf } from "../../machines/commands.ts"
import type { Definition } from "../../machines/definition.ts"
import type { Fence, ResourceRef } from "../../machines/ids.ts"
import type { Board, Ticket } from "./Board.ts"
import type { Calls, Patience, Reply } from "./Calls.ts"
import type { Chance } from "./Chance.ts"
import { resourceRefs, sampleSummary } from "./choices.ts"
import { Operator } from "./Operator.ts"
import { type Action, actions, type Swarm } from "./swarm.ts"
import type { Trace } from "./Trace.ts"

export interface AgentOptions {
  readonly name: string
  readonly chance: Chance
  readonly swarm: Swarm
  readonly definition: Definition
  readonly calls: Calls
  readonly board: Board
  readonly trace: Trace
  /** The commands that all agents have left. */
  readonly budget: { left: number }
  /** The workflow that it founds; undefined for one that looks for work. */
  readonly founds: string | undefined
}

interface HeldStep {
  readonly stepId: string
  fences: ReadonlyArray<Fence>
}
/** The session that it is. */
interface Held {
  readonly workflowId: string
  readonly sessionId: string
  readonly role: string
  /** Its end is the end of the workflow. */
  readonly isRoot: boolean
  version: number
  steps: Array<HeldStep>
  prepared: Array<string>
  readonly offers: Array<Ticket>
}

type Own = "offer" | "preflight" | "propose" | "receipt" | "heartbeat" | "release" | "complete" | "fail" | "attach"

/** Turns in which there was nothing to do, before it goes home. */
const mostIdle = 25
const amounts = [0.25, 0, 0.5, 1, 3]
/** Refusals after which there is no session any more. */
const deadly: ReadonlyArray<string> = ["session_killed", "session_not_active", "workflow_killed", "workflow_not_active"]

export class Agent {
  readonly #o: AgentOptions
  readonly #operator: Operator
  #held: Held | undefined
  #count = 0
  /** The workflow that it is to found. */
  #founds: string | undefined

  constructor(options: AgentOptions) {
    this.#o = options
    this.#founds = options.founds
    const key = () => this.#key()
    this.#operator = new Operator({ ...options, key, patience: this.#patience })
  }

  /** Works until the commands are used up, it dies, or there is nothing to do. */
  get work(): Effect.Effect<void> {
    const { chance, swarm, budget, name, trace } = this.#o
    return Effect.gen({ self: this }, function* () {
      let idle = 0
      while (idle < mostIdle && budget.left > 0) {
        const [low, high] = swarm.thinkMs
        const slow = chance.between(1500, 6000)
        yield* Effect.sleep(chance.chance(swarm.slowRate) ? slow : chance.between(low, high))
        if (chance.chance(swarm.dieRate)) {
          trace.line(`${name} dies`)
          trace.count("agent dies")
          return
        }
        const before = this.#made
        yield* this.#act()
        if (this.#made === before) idle += 1
        else budget.left -= 1
      }
    })
  }

  get #made(): number {
    return this.#o.calls.madeBy(this.#o.board.tenant, this.#o.name)
  }

  readonly #act = Effect.fnUntraced({ self: this }, function* () {
    const held = this.#held
    if (held === undefined) return yield* this.#join()
    const { chance, swarm } = this.#o
    const action = chance.weighted(actions, this.#fitting(held, swarm.weights))
    if (action !== undefined) yield* this.#do(held, action)
  })

  /** What there is nothing for is seldom tried. */
  #fitting(held: Held, weights: Swarm["weights"]): Swarm["weights"] {
    const { offer, receipt, reclaim, withdraw, complete } = weights
    const hasEdge = this.#o.definition.handoffs.some((edge) => edge.from === held.role)
    const busy = held.steps.length > 0
    return {
      ...weights,
      offer: hasEdge ? offer : offer / 20,
      receipt: busy ? receipt : receipt / 30,
      complete: busy || held.isRoot ? complete / 5 : complete,
      reclaim: held.offers.length > 0 ? reclaim : reclaim / 10,
      withdraw: held.offers.length > 0 ? withdraw : withdraw / 10,
    }
  }

  /** Mostly of the one kind that can be owned. */
  #releasable(): ResourceRef {
    const { definition, chance } = this.#o
    const ownable = definition.resources.filter(({ mode }) => mode === "single_writer")
    const resources = chance.chance(0.8) ? ownable : definition.resources
    return chance.pick(resourceRefs({ definition: { ...definition, resources }, chance }, 1)) ?? unknown
  }

  #do(held: Held, action: Action): Effect.Effect<void> {
    switch (action) {
      case "offer":
        return this.#offer(held)
      case "preflight":
        return this.#preflight(held)
      case "propose":
        return this.#propose(held)
      case "receipt":
        return this.#receipt(held)
      case "heartbeat":
        return Effect.asVoid(this.#own(held, "heartbeat", {}))
      case "release":
        return Effect.asVoid(this.#own(held, "release", { resources: [this.#releasable()] }))
      case "complete":
        return this.#end(held, "complete", { result: { by: this.#o.name } })
      case "fail":
        return this.#end(held, "fail", { reason: "gave up" })
      case "attach":
        return this.#attach(held)
      case "reclaim":
      case "withdraw":
        return this.#takeBack(held, action)
      case "killSession":
        return this.#operator.kill({ ...held, scope: "session" })
      case "killSubtree":
        return this.#operator.kill({ ...held, scope: "subtree" })
      case "killWorkflow":
        return this.#operator.kill({ workflowId: held.workflowId, scope: "workflow" })
      case "operate":
        return this.#operator.act()
      case "look":
        return this.#operator.look(held)
    }
  }

  // ---- getting a session ----

  readonly #join = Effect.fnUntraced({ self: this }, function* () {
    const { chance, board } = this.#o
    if (this.#founds !== undefined) return yield* this.#found(this.#founds)
    if (chance.chance(0.03)) return yield* this.#found(chance.pick([...board.workflows]) ?? "w1")
    // The newest as a rule; all look at the same board, so several want the same.
    const ticket = chance.chance(0.7) ? board.tickets.at(-1 - chance.between(0, 1)) : chance.pick(board.tickets)
    if (chance.chance(ticket === undefined ? 0.25 : 0.05)) return yield* this.#operator.act()
    if (ticket !== undefined) yield* this.#claim(ticket)
  })

  readonly #found = Effect.fnUntraced({ self: this }, function* (workflowId: string) {
    const { chance, definition, calls, board, name } = this.#o
    const roots = definition.roles.filter((role) => role.root)
    const role = chance.chance(0.03) ? chance.pick(definition.roles) : chance.pick(roots)
    const own = this.#founds === workflowId || chance.chance(0.3)
    const sessionId = own ? `${workflowId}-root` : chance.chance(0.5) ? this.#name("s") : undefined
    const input = {
      workflowId,
      role: role?.name ?? "lead",
      agent: name,
      ...(sessionId === undefined ? {} : { sessionId }),
    }
    const letter = {
      tenant: board.tenant,
      agent: name,
      workflowId,
      name: "createRoot",
      input,
      key: this.#key(),
    } as const
    const reply = yield* calls.createRoot(
      { ...letter, input: { ...input, definitionHash: "" } },
      this.#patience(sessionId),
    )
    board.workflows.add(workflowId)
    if (this.#founds === workflowId && (reply.ok || reply.code === "workflow_exists")) this.#founds = undefined
    if (reply.ok) this.#opened(reply.answer)
  })

  readonly #claim = Effect.fnUntraced({ self: this }, function* (ticket: Ticket) {
    const { chance, calls, board, name, swarm } = this.#o
    const { workflowId, handoffId, parentSessionId } = ticket
    const lies = chance.chance(swarm.lieRate)
    const known = chance.pick(board.sessions)?.sessionId ?? "x1"
    const sessionId = chance.chance(0.5) ? this.#name("s") : chance.chance(0.1) ? chance.among("x1", known) : undefined
    const input = {
      workflowId,
      handoffId,
      parentSessionId: lies ? known : parentSessionId,
      role: lies ? (chance.pick(this.#o.definition.roles)?.name ?? ticket.role) : ticket.role,
      agent: name,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(chance.chance(0.1) ? { generation: chance.between(1, 2) } : {}),
    }
    const letter = { tenant: board.tenant, agent: name, workflowId, name: "claim", input, key: this.#key() } as const
    const reply = yield* calls.send(letter, this.#patience(sessionId))
    // Others may try it once more.
    if ((reply.ok || ticketless.includes(reply.code)) && chance.chance(0.7)) board.taken(ticket)
    if (reply.ok) return this.#opened(reply.answer)
    if (reply.code === "workflow_killed" || reply.code === "workflow_not_active") this.#over(workflowId)
  })

  /** Whoever founded what is over founds another one, a few times. */
  #over(workflowId: string): void {
    const { board, founds } = this.#o
    board.hasEnded(workflowId)
    if (founds === undefined || !workflowId.startsWith(founds) || workflowId.length > founds.length + 3) return
    this.#founds = `${workflowId}n`
  }

  #opened({ workflowId, sessionId, role, stateVersion, parentSessionId }: Answers["claim"]): void {
    const isRoot = parentSessionId === null
    this.#held = { workflowId, sessionId, role, isRoot, version: stateVersion, steps: [], prepared: [], offers: [] }
    this.#o.board.begun(workflowId, sessionId)
  }

  // ---- being one ----

  readonly #offer = Effect.fnUntraced({ self: this }, function* (held: Held) {
    const { chance, definition, board } = this.#o
    const edge = chance.pick(definition.handoffs.filter((one) => one.from === held.role))
    const toRole = edge?.to ?? chance.pick(definition.roles)?.name ?? "dev"
    const chosen = chance.chance(0.4) ? this.#name("h") : chance.chance(0.1) ? "x1" : undefined
    const bound = resourceRefs(this.#o, 2)
    const reply = yield* this.#own(held, "offer", {
      toRole,
      summary: chance.chance(0.03) ? [] : sampleSummary(edge, chance),
      ...(chosen === undefined ? {} : { handoffId: chosen }),
      ...(chance.chance(0.35) && bound.length > 0 ? { resources: bound } : {}),
      ...(chance.chance(0.1) ? { artifacts: [{ uri: "file:a" }] } : {}),
    })
    // One who was not answered may still have offered it.
    const handoffId = reply.ok ? reply.answer.handoffId : isUncertain(reply) ? chosen : undefined
    if (handoffId === undefined) return
    const { workflowId, sessionId } = held
    const ticket = { workflowId, handoffId, parentSessionId: sessionId, role: toRole }
    board.tickets.push(ticket)
    held.offers.push(ticket)
  })

  readonly #preflight = Effect.fnUntraced({ self: this }, function* (held: Held) {
    const { chance } = this.#o
    const reply = yield* this.#own(held, "preflight", {
      ...(chance.chance(0.8) ? { estimatedCost: chance.pick(amounts) ?? 0 } : {}),
      ...(chance.chance(0.4) ? { estimatedTokens: 50 } : {}),
    })
    if (reply.ok) held.prepared.push(reply.answer.preparedRequestId)
  })

  readonly #propose = Effect.fnUntraced({ self: this }, function* (held: Held) {
    const { chance, board } = this.#o
    const call = () => {
      const resources = resourceRefs(this.#o, 2)
      return {
        tool: chance.among("read", "write", "deploy"),
        arguments: { n: chance.between(0, 4) },
        ...(chance.chance(0.75) && resources.length > 0 ? { resources } : {}),
        ...(chance.chance(0.8) ? { estimatedCost: chance.pick(amounts) ?? 0 } : {}),
        ...(chance.chance(0.2) ? { estimatedTokens: 60 } : {}),
      }
    }
    const prepared = chance.chance(0.6) ? held.prepared.pop() : undefined
    const reply = yield* this.#own(held, "propose", {
      calls: chance.chance(0.2) ? [call(), call()] : [call()],
      ...(prepared === undefined ? {} : { preparedRequestId: prepared }),
      ...(chance.chance(0.2) ? { usage: { inputTokens: 20, outputTokens: chance.between(0, 30), cost: 0.1 } } : {}),
      ...(chance.chance(0.2) ? { wait: false } : {}),
    })
    if (!reply.ok) return
    for (const { stepId, fences, status } of reply.answer.steps) {
      held.steps.push({ stepId, fences })
      board.steps.push({ workflowId: held.workflowId, stepId })
      if (status === "awaiting_approval") board.approvals.push({ workflowId: held.workflowId, stepId })
    }
  })

  readonly #receipt = Effect.fnUntraced({ self: this }, function* (held: Held) {
    const { chance, board, swarm } = this.#o
    const lies = chance.chance(swarm.lieRate)
    const own = chance.pick(held.steps)
    const stepId = lies ? chance.pick(board.steps)?.stepId : own?.stepId
    if (stepId === undefined) return
    const first = this.#receiptOf(stepId, own?.fences ?? [], lies)
    const other = held.steps.find((step) => step.stepId !== stepId)
    const both =
      other !== undefined && chance.chance(0.2) ? [first, this.#receiptOf(other.stepId, other.fences, false)] : [first]
    const reply = yield* this.#own(held, "receipt", { receipts: both })
    if (!reply.ok) return
    const resolved = reply.answer.steps.filter((step) => step.status !== "admitted").map((step) => step.stepId)
    held.steps = held.steps.filter((step) => !resolved.some((id) => id === step.stepId))
  })

  #receiptOf(stepId: string, fences: ReadonlyArray<Fence>, lies: boolean): InputOf<"receipt">["receipts"][number] {
    const { chance } = this.#o
    const outcome = chance.among("committed", "committed", "committed", "aborted", "unknown")
    const shown = fences.map((fence) => ({ ...fence, token: Math.max(1, fence.token - (lies ? 1 : 0)) }))
    return {
      stepId,
      outcome,
      ...(outcome !== "unknown" && chance.chance(0.3) ? { actualCost: chance.pick(amounts) ?? 0 } : {}),
      ...(outcome !== "unknown" && chance.chance(0.15) ? { actualTokens: 70 } : {}),
      ...(outcome === "committed" && chance.chance(0.5) && shown.length > 0 ? { fences: shown } : {}),
    }
  }

  #end<K extends "complete" | "fail">(
    held: Held,
    name: K,
    input: Omit<InputOf<K>, "sessionId" | "expectedVersion">,
  ): Effect.Effect<void> {
    return Effect.map(this.#own(held, name, input), (reply) => {
      if (!reply.ok) return
      this.#held = undefined
      if ("workflowStatus" in reply.answer && reply.answer.workflowStatus !== "active") this.#over(held.workflowId)
    })
  }

  readonly #attach = Effect.fnUntraced({ self: this }, function* (held: Held) {
    const reply = yield* this.#own(held, "attach", {})
    if (reply.ok) held.steps = reply.answer.steps.map(({ stepId, fences }) => ({ stepId, fences }))
  })

  readonly #takeBack = Effect.fnUntraced({ self: this }, function* (held: Held, name: "reclaim" | "withdraw") {
    const { chance, board, calls, swarm } = this.#o
    const ticket = chance.pick(chance.chance(swarm.lieRate) ? board.tickets : held.offers)
    if (ticket === undefined) return
    const { workflowId, handoffId } = ticket
    const input = { workflowId, handoffId, sessionId: held.sessionId }
    const letter = { tenant: board.tenant, agent: this.#o.name, workflowId, name, input, key: this.#key() }
    yield* calls.send(letter, this.#patience())
  })

  /** A command of its own session: hears the new version, and of its death. */
  #own<K extends Own>(
    held: Held,
    name: K,
    input: Omit<InputOf<K>, "sessionId" | "expectedVersion">,
  ): Effect.Effect<Reply<Answers[K]>> {
    const { chance, calls, board, swarm } = this.#o
    const { workflowId, sessionId } = held
    const expectedVersion = chance.chance(swarm.lieRate) ? held.version - 1 : held.version
    const version = chance.chance(0.15) && expectedVersion >= 0 ? { expectedVersion } : {}
    const whole = { ...input, sessionId, ...version } as InputOf<K>
    const letter = { tenant: board.tenant, agent: this.#o.name, workflowId, name, input: whole, key: this.#key() }
    return Effect.tap(calls.send(letter, this.#patience()), (reply) => {
      if (!reply.ok) return deadly.includes(reply.code) ? this.#died(held, reply.code) : Effect.void
      const { answer } = reply
      if ("stateVersion" in answer && typeof answer.stateVersion === "number") held.version = answer.stateVersion
      return Effect.void
    })
  }

  /** What its tools have done in the meantime is told late, or never. */
  readonly #died = Effect.fnUntraced({ self: this }, function* (held: Held, code: string) {
    const { chance, calls, board, name } = this.#o
    if (this.#held === held) this.#held = undefined
    this.#o.board.left(held.sessionId)
    if (code.startsWith("workflow_")) this.#over(held.workflowId)
    const step = chance.pick(held.steps)
    if (step === undefined || chance.chance(0.5)) return
    const { workflowId, sessionId } = held
    const input = { sessionId, receipts: [this.#receiptOf(step.stepId, [], false)] }
    yield* calls.send(
      { tenant: board.tenant, agent: name, workflowId, name: "receipt", key: this.#key(), input },
      this.#patience(),
    )
  })

  // ---- choices ----

  #name(kind: string): string {
    this.#count += 1
    return `${this.#o.name}-${kind}${this.#count}`
  }

  #key(): string | undefined {
    return this.#o.chance.chance(this.#o.swarm.keyRate) ? this.#name("k") : undefined
  }

  /** One who chose the id of what it makes may ask again without a key. */
  readonly #patience = (chosen?: string): Patience => {
    const { patienceMs, retryRate } = this.#o.swarm
    return { patienceMs, retryRate, tries: chosen === undefined ? 3 : 4 }
  }
}

/** Refusals after which a ticket is worth no more. */
const ticketless: ReadonlyArray<string> = ["handoff_closed", "handoff_already_claimed", "session_killed"]
const unknown = { name: "nothing", key: "a" }
const isUncertain = (reply: Reply<unknown>): boolean =>
  !reply.ok && (reply.code === "storage_unavailable" || reply.code === "node_down" || reply.code === "gave_up")
