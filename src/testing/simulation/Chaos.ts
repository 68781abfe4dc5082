/** What happens to whole nodes: they crash and start again, stand still while the world goes on, and their clocks are moved. */
import type { Chance } from "./Chance.ts"
import type { Faults } from "./Faults.ts"
import type { Node } from "./Node.ts"
import type { Swarm } from "./swarm.ts"
import type { Trace } from "./Trace.ts"
import type { World } from "./World.ts"

export interface ChaosOptions {
  readonly world: World
  readonly chance: Chance
  readonly swarm: Swarm
  readonly faults: Faults
  readonly nodes: ReadonlyArray<Node>
  readonly trace: Trace
}

export class Chaos {
  readonly #o: ChaosOptions

  constructor(options: ChaosOptions) {
    this.#o = options
  }

  start(): void {
    const { swarm, nodes, chance } = this.#o
    for (const node of nodes) node.setClock(chance.between(-swarm.skewMs, swarm.skewMs))
    this.#every(swarm.crashEveryMs, "crash", (node) => this.#crash(node))
    this.#every(swarm.freezeEveryMs, "freeze", (node) => this.#freeze(node))
    this.#every(swarm.jumpEveryMs, "clock jumps", (node) => this.#jump(node))
  }

  /** Brings everything up again, for good. */
  heal(): void {
    const { nodes, faults, trace } = this.#o
    faults.heal()
    trace.line("healed")
    for (const node of nodes) {
      node.setClock(0)
      node.thaw()
      if (!node.lives) node.start()
    }
  }

  #every(meanMs: number, kind: string, happen: (node: Node) => void): void {
    if (meanMs === 0) return
    const { world, chance, nodes, faults } = this.#o
    const waitMs = -Math.log(1 - chance.next()) * meanMs
    world.after(waitMs * 1000, undefined, () => {
      if (faults.isHealed) return
      const node = chance.pick(nodes)
      if (node?.isUp === true && faults.allow(kind)) happen(node)
      this.#every(meanMs, kind, happen)
    })
  }

  #crash(node: Node): void {
    const { world, chance, trace } = this.#o
    trace.line(`${node.name} crashes`)
    node.crash()
    const downMs = chance.among(0, 20, 500, 5000)
    world.after(downMs * 1000, undefined, () => {
      if (!node.lives) node.start()
    })
  }

  #freeze(node: Node): void {
    const { world, chance, trace } = this.#o
    trace.line(`${node.name} freezes`)
    node.freeze()
    world.after(chance.between(50, 8000) * 1000, undefined, () => {
      trace.line(`${node.name} thaws`)
      node.thaw()
    })
  }

  #jump(node: Node): void {
    const { chance, trace, swarm } = this.#o
    const skewMs = chance.between(-swarm.jumpMs, swarm.jumpMs)
    trace.line(`${node.name} has its clock moved to ${skewMs} ms`)
    node.setClock(skewMs)
  }
}
