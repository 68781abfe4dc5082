/**
 * `simulate`: one run of the real runtime, several nodes of it on one store, in a world where one seed decides everything.
 *
 * At first things go wrong: calls of the store fail, before and after they have done their work, nodes crash and freeze, clocks
 * are moved, agents are slow, wrong or gone. Then all is healed, and liveness is demanded. Everything that is answered is judged
 * when it is, and all that is left at the end (semantics.md §11). The same options make the same run, to the byte of its trace.
 */
import { Effect, Exit, type Fiber } from "effect"
import { makeMemoryStore, memoryJournal } from "../../adapters/memory/MemoryJournal.ts"
import type { Definition } from "../../machines/definition.ts"
import { Tenant, WorkflowId } from "../../machines/ids.ts"
import type { GovernanceService } from "../../runtime/Governance.ts"
import type { Journal } from "../../runtime/Journal.ts"
import { limits as runtimeLimits } from "../../runtime/limits.ts"
import { Agent } from "./Agent.ts"
import { audit } from "./audit.ts"
import { Board } from "./Board.ts"
import { Calls } from "./Calls.ts"
import { Chance } from "./Chance.ts"
import { Chaos } from "./Chaos.ts"
import { type Birth, birthOf, drawBirth } from "./definitions.ts"
import { Faults } from "./Faults.ts"
import { Healing } from "./Healing.ts"
import { History } from "./History.ts"
import type { Host } from "./Host.ts"
import { Node } from "./Node.ts"
import { drawSwarm, type Limits, type Swarm, widest } from "./swarm.ts"
import { Trace } from "./Trace.ts"
import { Violation } from "./Violation.ts"
import { Watcher } from "./Watcher.ts"
import { World } from "./World.ts"

/** Opens a shared store once more, as another writer. It has to answer without real I/O. */
export type OpenStore = () => Journal["Service"]

export interface SimulateOptions {
  /** An integer. It decides everything that the other options leave open. */
  readonly seed: number
  /** Another interleaving, with other faults, of the same agents. Default 0. */
  readonly schedule?: number
  /** Bounds of the run; what the seed draws beyond them is left out. */
  readonly limits?: Partial<Limits>
  /** The workflows' definition. By default the seed draws one. */
  readonly definition?: Definition
  /** Makes the store that the nodes share. Default: one in memory. */
  readonly store?: () => OpenStore
  /** Puts a mistake into the runtime of every node, to see that it is found. */
  readonly tamper?: (governance: GovernanceService) => GovernanceService
  /** Lines of the trace that are kept. Default 400. */
  readonly traceLines?: number
}

export interface SimulationResult {
  readonly seed: number
  readonly schedule: number
  /** What the run was like. */
  readonly swarm: Swarm
  /** Null where everything held. `rule` is the invariant, or what else is demanded. */
  readonly violation: { readonly rule: string; readonly detail: string } | null
  /** The last lines, one a transition: virtual milliseconds, node, agent, command → verdict. */
  readonly trace: ReadonlyArray<string>
  /** sha256 of the whole trace: equal runs have equal digests. */
  readonly digest: string
  /** Tasks that ran. */
  readonly steps: number
  readonly virtualMs: number
  /** How often each verdict of each command, each event and each fault occurred. */
  readonly counts: Readonly<Record<string, number>>
}

/** Virtual milliseconds: of the time with faults, and until everything is answered once there are none. */
const safetyMs = 30_000
const answerMs = 60_000
const demandsMs = 3_600_000

export const simulate = async (options: SimulateOptions): Promise<SimulationResult> => {
  const { seed, schedule = 0 } = options
  const swarm = drawSwarm(new Chance(seed, "swarm"), { ...widest, ...options.limits })
  const birth =
    options.definition === undefined ? drawBirth(new Chance(seed, "which definition")) : birthOfOnce(options.definition)
  const { stepUs, yieldRate } = swarm
  const world = new World({ chance: new Chance(seed, "schedule", schedule), stepUs, yieldRate })
  const trace = new Trace(world, options.traceLines ?? 400)
  const run = new Run(options, { swarm, birth, world, trace })
  let violation: Violation | null = null
  try {
    await run.whole()
  } catch (thrown) {
    violation = thrown instanceof Violation ? thrown : new Violation("defect", textOf(thrown))
    trace.line(`VIOLATION of ${violation.rule}: ${violation.message}`)
  }
  return {
    seed,
    schedule,
    swarm,
    violation: violation === null ? null : { rule: violation.rule, detail: violation.message },
    trace: trace.lines,
    digest: trace.digest(),
    steps: world.steps,
    virtualMs: Math.floor(world.elapsedUs / 1000),
    counts: trace.counts,
  }
}

interface Scene {
  readonly swarm: Swarm
  readonly birth: Birth
  readonly world: World
  readonly trace: Trace
}

class Run {
  readonly #o: SimulateOptions
  readonly #scene: Scene
  readonly #store: Journal["Service"]
  readonly #tenants: ReadonlyArray<Tenant>
  readonly #nodes: ReadonlyArray<Node>
  /** Where the agents run: it never fails. */
  readonly #outside: Host
  readonly #history: History
  readonly #calls: Calls
  readonly #chaos: Chaos
  readonly #watchers: ReadonlyArray<Watcher>
  /** Commands that the agents have left. */
  readonly #budget: { left: number }

  constructor(options: SimulateOptions, scene: Scene) {
    this.#o = options
    this.#scene = scene
    this.#budget = { left: scene.swarm.commands }
    const { swarm, world, trace, birth } = scene
    const open = (options.store ?? memoryStore)()
    this.#store = open()
    this.#tenants = swarm.tenants === 1 ? [first] : [first, second]
    this.#outside = world.host("outside")
    this.#history = new History(this.#store)
    const faults = new Faults(this.#chance("faults"), swarm, trace)
    this.#nodes = Array.from({ length: swarm.nodes }, (_, index) => {
      const seed = options.seed + 1000 * (options.schedule ?? 0)
      return new Node({ name: `n${index + 1}`, seed, world, faults, trace, birth, open, tamper: options.tamper })
    })
    const nodes = this.#nodes
    const chance = this.#chance("calls")
    this.#calls = new Calls({ world, host: this.#outside, nodes, history: this.#history, trace, chance, birth })
    this.#chaos = new Chaos({ world, chance: this.#chance("chaos"), swarm, faults, nodes, trace })
    this.#watchers = Array.from({ length: swarm.watchers }, (_, index) => this.#watcher(index))
  }

  async whole(): Promise<void> {
    const { world, swarm } = this.#scene
    for (const node of this.#nodes) node.start()
    this.#chaos.start()
    await world.until(() => this.#nodes.every((node) => node.isUp || !node.lives), safetyMs)
    for (const watcher of this.#watchers) watcher.start()
    const fibers = this.#agents().map((agent) => this.#fork(agent.work))
    const isOver = () => fibers.every((fiber) => fiber.pollUnsafe() !== undefined)
    await world.until(() => isOver() && this.#calls.pending.size === 0, safetyMs)
    this.#budget.left = 0
    this.#chaos.heal()
    await world.until(() => this.#nodes.every((node) => node.isUp), answerMs)
    await this.#answered(isOver)
    await this.#demands()
    if (swarm.restMs > 0) await world.until(() => false, swarm.restMs)
    await this.#caughtUp()
    await this.#closed()
    audit({
      ...this.#scene,
      store: this.#store,
      tenants: this.#tenants,
      history: this.#history,
      watchers: this.#watchers,
    })
  }

  #chance(name: string): Chance {
    return new Chance(this.#o.seed, name, this.#o.schedule ?? 0)
  }

  #agents(): ReadonlyArray<Agent> {
    const { swarm, birth, trace } = this.#scene
    const { definition } = birth.rules
    const budget = this.#budget
    return this.#tenants.flatMap((tenant) => {
      const board = new Board(tenant)
      return Array.from({ length: swarm.agents }, (_, index) => {
        const name = `a${index + 1}`
        const chance = new Chance(this.#o.seed, "agent", tenant, name)
        const founds = index < swarm.workflows ? `w${index + 1}` : undefined
        return new Agent({ name, chance, swarm, definition, calls: this.#calls, board, trace, budget, founds })
      })
    })
  }

  #watcher(index: number): Watcher {
    const { world, trace, swarm } = this.#scene
    const workflowId = WorkflowId.make(`w${1 + (index % swarm.workflows)}`)
    const name = `watcher ${index + 1}`
    const chance = this.#chance(name)
    const tenant = this.#tenants[index % this.#tenants.length] ?? first
    return new Watcher({ name, tenant, workflowId, nodes: this.#nodes, world, host: this.#outside, chance, trace })
  }

  #fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    const { world, trace } = this.#scene
    const context = this.#outside.context(this.#o.seed, (level, message) => trace.line(`${level}: ${message}`))
    const fiber = Effect.runForkWith(context)(effect)
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) return
      const error = Exit.findErrorOption(exit)
      world.violated(error._tag === "Some" ? error.value : new Violation("defect", String(exit.cause)))
    })
    return fiber
  }

  async #answered(isOver: () => boolean): Promise<void> {
    const { world } = this.#scene
    const { pending } = this.#calls
    if (await world.until(() => isOver() && pending.size === 0, answerMs)) return
    const which = [...pending.values()].join("; ")
    throw new Violation("answered", `after ${answerMs} ms without faults these have no answer: ${which}`)
  }

  async #demands(): Promise<void> {
    const { world, birth } = this.#scene
    const chance = this.#chance("healing")
    const [calls, history, store, tenants] = [this.#calls, this.#history, this.#store, this.#tenants]
    const healing = new Healing({ world, chance, calls, history, store, birth, tenants })
    const fiber = this.#fork(healing.demands)
    if (await world.until(() => fiber.pollUnsafe() !== undefined, demandsMs)) return
    throw new Violation("answered", `these have no answer: ${[...calls.pending.values()].join("; ")}`)
  }

  /** Every watcher has read all that there is. */
  async #caughtUp(): Promise<void> {
    const { world } = this.#scene
    const isBehind = ({ tenant, workflowId, events }: Watcher) =>
      Effect.runSync(this.#store.read(tenant, workflowId, events.length, 1)).length > 0
    if (!(await world.until(() => !this.#watchers.some(isBehind), 3000)))
      throw new Violation("events", "a watcher has not heard of the last events after 3 s")
    for (const watcher of this.#watchers) watcher.stop()
  }

  async #closed(): Promise<void> {
    const { world } = this.#scene
    let open = 0
    for (const node of this.#nodes)
      for (const tenant of this.#tenants) {
        open += 1
        node
          .client(tenant)
          ?.close()
          .then(
            () => {
              open -= 1
            },
            (error: unknown) => world.violated(error),
          )
      }
    world.settled()
    if (!(await world.until(() => open === 0, runtimeLimits.closeMs / 2)))
      throw new Violation("liveness", "a node with nothing to do does not close")
  }
}

const first = Tenant.make("t1")
const second = Tenant.make("t2")

const memoryStore = (): OpenStore => {
  const store = makeMemoryStore()
  return () => memoryJournal(store)
}

const births = new WeakMap<Definition, Birth>()
const birthOfOnce = (definition: Definition): Birth => {
  const birth = births.get(definition) ?? birthOf(definition)
  births.set(definition, birth)
  return birth
}

const textOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
