/**
 * A node: the real runtime in a host of its own, on a journal over the network. It can crash and start again, freeze and thaw,
 * and have its clock moved.
 */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import type { Tenant } from "../../machines/ids.ts"
import { EmbeddedClient } from "../../runtime/EmbeddedClient.ts"
import { Governance, type GovernanceService } from "../../runtime/Governance.ts"
import { Journal } from "../../runtime/Journal.ts"
import type { Birth } from "./definitions.ts"
import type { Faults } from "./Faults.ts"
import { faultyJournal } from "./FaultyJournal.ts"
import type { Host } from "./Host.ts"
import type { Trace } from "./Trace.ts"
import { Violation } from "./Violation.ts"
import type { World } from "./World.ts"

export interface NodeOptions {
  readonly name: string
  readonly seed: number
  readonly world: World
  readonly faults: Faults
  readonly trace: Trace
  readonly birth: Birth
  /** Opens the shared store once more: for this node, in this life of it. */
  readonly open: () => Journal["Service"]
  /** A runtime with a mistake in it, for tests of the simulator. */
  readonly tamper: ((governance: GovernanceService) => GovernanceService) | undefined
}

interface Life {
  readonly host: Host
  readonly scope: Scope.Closeable
  readonly context: Context.Context<never>
  governance: GovernanceService | undefined
  readonly clients: Map<Tenant, EmbeddedClient>
}

export class Node {
  readonly name: string
  readonly #options: NodeOptions
  #lives = 0
  #life: Life | undefined
  #skewMs = 0
  /** Calls that wait for an answer of this life. */
  #calls = new Set<() => void>()

  constructor(options: NodeOptions) {
    this.name = options.name
    this.#options = options
  }

  /** It may still be starting. */
  get lives(): boolean {
    return this.#life !== undefined
  }
  get isUp(): boolean {
    return this.#life?.governance !== undefined
  }

  start(): void {
    const { world, seed, trace, faults, birth, open, tamper } = this.#options
    this.#lives += 1
    const host = world.host(this.#lives === 1 ? this.name : `${this.name}'${this.#lives}`)
    host.skewMs = this.#skewMs
    const context = host.context(seed, (level, message) => this.#logged(host, level, message))
    const life: Life = { host, context, scope: Scope.makeUnsafe(), governance: undefined, clients: new Map() }
    this.#life = life
    const journal = faultyJournal({ store: open(), host, world, faults, trace })
    const layer = Layer.provide(Governance.layer, Layer.succeed(Journal, journal))
    const building = Layer.buildWithScope(layer, life.scope)
    Effect.runForkWith(context)(building).addObserver((exit) => {
      if (Exit.isFailure(exit))
        return world.violated(new Violation("defect", `${host.name} could not start: ${String(exit.cause)}`))
      const governance = Context.get(exit.value, Governance)
      governance.loader.keep(birth.rules)
      life.governance = watched(tamper === undefined ? governance : tamper(governance), world)
      trace.line(`${host.name} is up`)
    })
  }

  #logged(host: Host, level: string, message: string): void {
    this.#options.trace.line(`${host.name} ${level}: ${message}`)
    this.#options.trace.count(`log ${level}`)
    if (level === "Error" || level === "Fatal")
      this.#options.world.violated(new Violation("defect", `${host.name}: ${message}`))
  }

  /** The runtime of this life; undefined while it is down. */
  get governance(): GovernanceService | undefined {
    return this.#life?.governance
  }

  client(tenant: Tenant): EmbeddedClient | undefined {
    const life = this.#life
    const governance = life?.governance
    if (life === undefined || governance === undefined) return undefined
    const known = life.clients.get(tenant)
    if (known !== undefined) return known
    const client = new EmbeddedClient({
      governance,
      tenant,
      run: (effect) => this.#run(life, effect),
      close: async () => {
        await this.#run(life, Effect.asVoid(Scope.close(life.scope, Exit.void)))
      },
    })
    life.clients.set(tenant, client)
    return client
  }

  #run<A, E>(life: Life, effect: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> {
    const { world } = this.#options
    return new Promise((resolve) => {
      Effect.runForkWith(life.context)(effect).addObserver((exit) => {
        world.settled()
        resolve(exit)
      })
    })
  }

  /** Tells `lost` when the node dies before the returned function was called: nobody will answer then. */
  calling(lost: () => void): () => void {
    this.#calls.add(lost)
    return () => this.#calls.delete(lost)
  }

  crash(): void {
    this.#life?.host.die()
    this.#life = undefined
    const calls = this.#calls
    this.#calls = new Set()
    for (const lost of calls) lost()
  }

  freeze(): void {
    this.#life?.host.freeze()
  }
  thaw(): void {
    this.#life?.host.thaw()
  }
  /** Milliseconds by which its clock is ahead from now on, in its next lives too. */
  setClock(skewMs: number): void {
    this.#skewMs = skewMs
    if (this.#life !== undefined) this.#life.host.skewMs = skewMs
  }
}

/** Every answer settles promises, which have to run out before the next task. */
const watched = (governance: GovernanceService, world: World): GovernanceService => ({
  ...governance,
  submit: (command, submission, settle) =>
    governance.submit(command, submission, (error, answer) => {
      world.settled()
      settle(error, answer)
    }),
})
