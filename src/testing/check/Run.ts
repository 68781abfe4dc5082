/**
 * One run: a workflow from its birth to its end, with agents whose behaviours are drawn from its seed.
 *
 * Whose turn it is depends on virtual time alone. After a number of moves the adversaries are called off: whoever still lives
 * behaves well, and the workflow gets the chance to finish. Processes that died stay dead.
 */
import type { Command } from "../../machines/commands.ts"
import type { Decision } from "../../machines/decide/context.ts"
import type { JournalEvent } from "../../machines/events.ts"
import type { HandoffId, SessionId } from "../../machines/ids.ts"
import type { State } from "../../machines/state.ts"
import type { Agent, Scene, Turn } from "./Agent.ts"
import { crashTurn, greedyTurn, lyingTurn } from "./bad.ts"
import { giveUp, goodTurn } from "./good.ts"
import type { CommandMove, Move } from "./moves.ts"
import { approverTurn, operatorTurn } from "./operator.ts"
import type { Plan } from "./Plan.ts"
import type { Random } from "./Random.ts"
import type { Behaviour } from "./report.ts"
import type { CheckSettings } from "./settings.ts"
import type { Totals } from "./Totals.ts"
import { type Sighting, Watch } from "./Watch.ts"
import { type Machine, type Watcher, World, workflowId } from "./World.ts"

const second = 1000
/** Moves that agents have to finish what they began. */
const finishingMoves = 150
/** Turns of a run for each of its moves: waiting is no move. */
const turnsPerMove = 6
/** Times that a process that looks for work asks again. */
const claimTries = 6

export type EndedAs = "completed" | "failed" | "killed" | "open"

/** Called at a sighting, with the moves that led to it; the list is reused, so keep a copy. */
export type OnSighting = (sighting: Sighting, moves: ReadonlyArray<Move>, at: number) => void

const turns: Readonly<Record<Behaviour, (scene: Scene) => Turn>> = {
  good: goodTurn,
  slow: goodTurn,
  greedy: greedyTurn,
  crash: crashTurn,
  lie: lyingTurn,
}

export class Run implements Watcher {
  /** True where every agent behaves well and no operator interferes. */
  readonly good: boolean
  readonly #plan: Plan
  readonly #settings: CheckSettings
  readonly #random: Random
  readonly #world: World
  readonly #watch: Watch
  readonly #mix: ReadonlyArray<readonly [Behaviour, number]>
  readonly #operator: boolean
  readonly #moves: Array<Move> = []
  #agents: Array<Agent> = []
  #finishing = false

  constructor(plan: Plan, settings: CheckSettings, machine: Machine, random: Random, totals: Totals, seen: OnSighting) {
    this.#plan = plan
    this.#settings = settings
    this.#random = random
    this.#mix = drawMix(settings, random)
    this.good = this.#mix.every(([name]) => name === "good")
    this.#operator = settings.operator && !this.good && random.chance(40)
    this.#watch = new Watch(totals, (sighting) => seen(sighting, this.#moves, this.#world.now))
    this.#world = new World(plan.rules, machine, this)
  }

  /** Runs to the end. A rule that throws is a violation like any other. */
  run(): EndedAs {
    try {
      this.#run()
    } catch (error) {
      this.#watch.violated("rules", error instanceof Error ? error.message : String(error))
    }
    const status = this.#world.state?.status ?? "open"
    return status === "active" ? "open" : status
  }

  #run(): void {
    if (!this.#create()) return
    const moves = this.#random.between(Math.min(15, this.#settings.commands), this.#settings.commands)
    const mostTurns = (moves + finishingMoves) * turnsPerMove
    for (let turn = 0; turn < mostTurns && !this.#watch.broken; turn += 1) {
      if (this.#world.state?.status !== "active") return
      if (this.#finishing ? this.#moves.length > moves + finishingMoves : this.#moves.length >= moves) {
        if (this.#finishing) return
        this.#finish()
      }
      if (!this.#nextTurn()) return
    }
  }

  #create(): boolean {
    const role = this.#random.pick(this.#plan.roots)
    if (role === undefined) return false
    const decision = this.#play({
      _tag: "createRoot",
      workflowId,
      role,
      agent: role,
      definitionHash: this.#plan.rules.hash,
    })
    const [event] = decision?.events ?? []
    if (event?._tag !== "workflow.created") return false
    this.#atWork(event.sessionId, role, this.#behaviour())
    return true
  }

  // ---- who acts when ----

  #nextTurn(): boolean {
    const agent = this.#soonest()
    if (agent === undefined) return this.#letTimePass()
    if (this.#world.advance(agent.nextAt)) return true
    const state = this.#world.state
    if (state === undefined) return false
    if (this.#operator && !this.#finishing && this.#random.chance(3)) {
      const command = operatorTurn(state, this.#random)
      if (command !== undefined) this.#play(command)
      return true
    }
    if (agent.down) this.#comeBack(agent)
    else if (agent.sessionId === null) this.#lookForWork(state, agent)
    else this.#work(state, agent, agent.sessionId)
    return true
  }

  #soonest(): Agent | undefined {
    let best: Agent | undefined
    for (const agent of this.#agents) if (best === undefined || agent.nextAt < best.nextAt) best = agent
    return best
  }

  /** Nobody is left who could do anything: only deadlines happen. */
  #letTimePass(): boolean {
    const state = this.#world.state
    const deadline = state?.deadlines.earliest(state)
    return deadline !== undefined && this.#world.advance(deadline.at)
  }

  #work(state: State, agent: Agent, sessionId: SessionId): void {
    const session = state.sessions.get(sessionId)
    if (session?.status !== "active") return this.#afterEnd(state, agent, sessionId)
    const scene: Scene = {
      state,
      plan: this.#plan,
      settings: this.#settings,
      random: this.#random,
      agent,
      session,
      finishing: this.#finishing,
    }
    const turn = (this.#finishing ? goodTurn : turns[agent.behaviour])(scene)
    if (turn === "gone") return this.#leave(agent)
    if (turn === "crash") return this.#crash(agent, sessionId)
    if (turn === "wait") {
      const verdict = approverTurn(state, session, this.#random)
      if (verdict !== undefined) this.#play(verdict)
      agent.waits += 1
      // Ever more rarely, so that waiting out a day costs few turns.
      agent.nextAt = this.#world.now + second * 2 ** Math.min(12, agent.waits)
      return
    }
    const decision = this.#play(turn, sessionId)
    agent.last = turn
    this.#learn(agent, turn, decision)
    agent.nextAt = this.#world.now + this.#pause(agent, turn)
  }

  /** Its session has ended under its hands: what ran may still report, late. Nobody else notices. */
  #afterEnd(state: State, agent: Agent, sessionId: SessionId): void {
    this.#leave(agent)
    const steps = state.sessions.get(sessionId)?.steps
    const stepId = steps?.values().next().value
    if (stepId === undefined || agent.behaviour === "crash" || !this.#random.chance(30)) return
    this.#play({ _tag: "receipt", sessionId, receipts: [{ stepId, outcome: "committed" }] }, sessionId)
  }

  #learn(agent: Agent, command: Command, decision: Decision<unknown> | undefined): void {
    if (decision?._tag === "accepted") {
      agent.tries = 0
      agent.waits = 0
      if (command._tag === "propose") agent.steps = Math.max(0, agent.steps - 1)
      if (command._tag === "offer") agent.offers = Math.max(0, agent.offers - 1)
      if (command._tag === "complete") this.#leave(agent)
      return
    }
    agent.tries += 1
    const code = decision?.refusal.code
    if (code === "limit_exceeded" && command._tag === "propose") agent.steps = 0
    if (code === "limit_exceeded" && command._tag === "offer") agent.offers = 0
    if (command._tag === "complete" && code === "handoff_not_in_progress") this.#unearned(agent)
  }

  /** It may not complete without having done something: one more try, and then it gives up. */
  #unearned(agent: Agent): void {
    if (agent.tries <= 2) {
      agent.steps = 1
      return
    }
    if (agent.sessionId !== null)
      this.#play({ _tag: "fail", sessionId: agent.sessionId, reason: "nothing could be done" }, agent.sessionId)
    this.#leave(agent)
  }

  #pause(agent: Agent, turn: Command): number {
    const random = this.#random
    if (agent.behaviour === "slow" && !this.#finishing && random.chance(30)) return this.#sleep()
    if (turn._tag === "propose") return random.between(200, 10 * second)
    return random.between(100, 2 * second)
  }

  /** Longer than something in the definition may take. */
  #sleep(): number {
    const timeout = this.#random.pick(this.#plan.timeouts) ?? 60 * second
    return Math.ceil(timeout * (0.7 + this.#random.next()))
  }

  // ---- processes ----

  #behaviour(): Behaviour {
    if (this.#finishing) return "good"
    let left = this.#random.next() * this.#mix.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of this.#mix) {
      left -= weight
      if (left < 0) return name
    }
    return "good"
  }

  #atWork(sessionId: SessionId, role: string, behaviour: Behaviour): void {
    const random = this.#random
    const { edges } = this.#plan.role(role)
    const greedy = behaviour === "greedy"
    this.#agents.push({
      behaviour,
      sessionId,
      handoffId: null,
      nextAt: this.#world.now + random.between(100, second),
      // Whoever comes to finish does the least that lets its work complete.
      steps: this.#finishing ? 1 : greedy ? random.between(3, 30) : random.between(1, 4),
      offers:
        edges.length === 0 || this.#finishing
          ? 0
          : greedy
            ? random.between(2, 12)
            : random.between(0, Math.min(4, edges.length + 2)),
      tries: 0,
      waits: 0,
      down: false,
      last: null,
    })
  }

  /** Processes that look for work hear of an offer; now and then two of them, or none for a while. */
  #offered(handoffId: HandoffId): void {
    for (let more = this.#random.chance(12) ? 2 : 1; more > 0; more -= 1) {
      const behaviour = this.#behaviour()
      const late = behaviour === "slow" && this.#random.chance(40)
      this.#agents.push({
        behaviour,
        sessionId: null,
        handoffId,
        nextAt: this.#world.now + (late ? this.#sleep() : this.#random.between(50, 2 * second)),
        steps: 0,
        offers: 0,
        tries: 0,
        waits: 0,
        down: false,
        last: null,
      })
    }
  }

  #lookForWork(state: State, agent: Agent): void {
    const handoff = agent.handoffId === null ? undefined : state.handoffs.get(agent.handoffId)
    if (handoff === undefined || agent.tries >= claimTries) return this.#leave(agent)
    const decision = this.#play({
      _tag: "claim",
      workflowId,
      handoffId: handoff.handoffId,
      parentSessionId: handoff.fromSessionId,
      role: handoff.toRole,
      agent: handoff.toRole,
    })
    agent.tries += 1
    agent.nextAt = this.#world.now + second * 2 ** agent.tries
    const retryable = decision?._tag === "refused" && /^(limit_exceeded|resource_owned)$/.test(decision.refusal.code)
    if (!retryable) this.#leave(agent)
  }

  #crash(agent: Agent, sessionId: SessionId): void {
    this.#push({ _tag: "crash", n: this.#moves.length, at: this.#world.now, sessionId })
    if (!this.#random.chance(25)) return this.#leave(agent)
    agent.down = true
    agent.nextAt =
      this.#world.now + (this.#random.chance(50) ? this.#sleep() : this.#random.between(second, 30 * second))
  }

  #comeBack(agent: Agent): void {
    agent.down = false
    agent.nextAt = this.#world.now + this.#random.between(100, second)
    if (agent.sessionId === null) return
    const decision = this.#play({ _tag: "attach", sessionId: agent.sessionId }, agent.sessionId)
    if (decision?._tag !== "accepted") this.#leave(agent)
  }

  #leave(agent: Agent): void {
    this.#agents = this.#agents.filter((other) => other !== agent)
  }

  #finish(): void {
    this.#finishing = true
    this.#agents = this.#agents.filter(({ down }) => !down)
    for (const agent of this.#agents) {
      giveUp(agent)
      agent.waits = 0
      agent.nextAt = Math.min(agent.nextAt, this.#world.now + this.#random.between(100, 5 * second))
    }
    const wanted = new Set(this.#agents.map(({ handoffId }) => handoffId))
    for (const handoff of this.#world.state?.handoffs.values() ?? [])
      if (handoff.status === "offered" && !wanted.has(handoff.handoffId)) this.#offered(handoff.handoffId)
  }

  // ---- moves ----

  #play(command: Command, sender: SessionId | null = null): Decision<unknown> | undefined {
    return this.#push({ _tag: "command", n: this.#moves.length, at: this.#world.now, sender, command })
  }

  #push(move: Move): Decision<unknown> | undefined {
    this.#moves.push(move)
    return this.#world.play(move)
  }

  // ---- looking on ----

  decided(world: World, state: State, move: CommandMove | null, decision: Decision<unknown>): void {
    this.#watch.decided(world, state, move, decision)
  }

  before(world: World, state: State, event: JournalEvent): void {
    this.#watch.before(world, state, event)
  }

  after(world: World, state: State, event: JournalEvent): void {
    this.#watch.after(world, state, event)
    const { body } = event
    if (body._tag === "handoff.offered") this.#offered(body.handoffId)
    else if (body._tag === "handoff.reclaimed" && body.status === "offered") this.#offered(body.handoffId)
    else if (body._tag === "handoff.claimed") {
      const role = state.sessions.get(body.sessionId)?.role
      if (role !== undefined) this.#atWork(body.sessionId, role, this.#behaviour())
    }
  }

  crashed(world: World, state: State, sessionId: SessionId): void {
    this.#watch.crashed(world, state, sessionId)
  }
}

/** A fifth of the runs has good agents only; the others some of the behaviours, each with a weight of its own. */
const drawMix = ({ mix }: CheckSettings, random: Random): ReadonlyArray<readonly [Behaviour, number]> => {
  const good = mix.filter(([name]) => name === "good")
  if (good.length > 0 && random.chance(20)) return good
  const some = mix.filter(() => random.chance(60))
  const drawn = some.length > 0 ? some : mix
  return drawn.map(([name, weight]) => [name, weight * (0.2 + random.next())] as const)
}
