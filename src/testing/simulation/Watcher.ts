/**
 * A watcher reads the events of one workflow as they come, on some node, and on another from where it stopped when that node
 * dies. What it reads must be the journal: each event once, in order, none left out.
 */
import type { JournalEvent } from "../../machines/events.ts"
import type { Tenant, WorkflowId } from "../../machines/ids.ts"
import { WorkflowError } from "../../runtime/errors.ts"
import type { Chance } from "./Chance.ts"
import type { Host } from "./Host.ts"
import type { Node } from "./Node.ts"
import type { Trace } from "./Trace.ts"
import { Violation } from "./Violation.ts"
import type { World } from "./World.ts"

export interface WatcherOptions {
  readonly name: string
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
  readonly nodes: ReadonlyArray<Node>
  readonly world: World
  readonly host: Host
  readonly chance: Chance
  readonly trace: Trace
}

/** Milliseconds until it tries again where it could not read. */
const againMs = 50

export class Watcher {
  readonly #o: WatcherOptions
  /** The texts of what it has read. */
  readonly events: Array<string> = []
  #stop: AbortController | undefined
  #stopped = false

  constructor(options: WatcherOptions) {
    this.#o = options
  }

  get tenant(): Tenant {
    return this.#o.tenant
  }
  get workflowId(): WorkflowId {
    return this.#o.workflowId
  }

  start(): void {
    if (this.#stopped) return
    const { chance, nodes, tenant, workflowId, world } = this.#o
    const node = chance.pick(nodes)
    const client = node?.client(tenant)
    if (node === undefined || client === undefined) return this.#later()
    const stop = new AbortController()
    this.#stop = stop
    const events = client.events({ workflowId, after: this.events.length, signal: stop.signal })
    const forget = node.calling(() => this.#later())
    const next = (): void => {
      world.settled()
      events.next().then(
        ({ done, value }) => {
          if (this.#stopped || this.#stop !== stop) return
          if (done === true || value === undefined) return
          this.#heard(value)
          next()
        },
        (error: unknown) => {
          forget()
          if (this.#stopped || this.#stop !== stop) return
          if (!(error instanceof WorkflowError) || !mayFail.includes(error.code)) return world.violated(error)
          this.#later()
        },
      )
    }
    next()
  }

  stop(): void {
    this.#stopped = true
    this.#stop?.abort()
    this.#o.world.settled()
  }

  #later(): void {
    this.#stop = undefined
    this.#o.world.after(againMs * 1000, this.#o.host, () => this.start())
  }

  #heard(event: JournalEvent): void {
    const expected = this.events.length + 1
    const { name, trace, world, workflowId } = this.#o
    if (event.seq !== expected)
      world.violated(
        new Violation("events", `${name} read event ${event.seq} of ${workflowId} in the place of ${expected}`),
      )
    this.events.push(JSON.stringify(event))
    trace.count("event watched")
  }
}

const mayFail: ReadonlyArray<string> = ["storage_unavailable", "workflow_not_found"]
