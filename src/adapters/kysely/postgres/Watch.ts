/**
 * Tells subscribers that another node may have committed events of their workflow.
 *
 * Whoever commits says so to the other nodes with NOTIFY, a few dozen times a second at most and apart from the commits
 * themselves, which would otherwise wait for each other. A notification that is lost (a node died right after its commit, a
 * pooler in between that passes none on) is made up for by looking at the heads of the watched workflows from time to time.
 */
import type pg from "pg"
import type { Tenant, WorkflowId } from "../../../machines/ids.ts"

export interface WatchOptions {
  readonly channel: string
  /** A connection of its own for LISTEN; not connected yet. */
  connect(): pg.Client
  notify(channel: string, payload: string): Promise<unknown>
  /** The last sequence of each workflow, in order. */
  heads(workflows: ReadonlyArray<Watched>): Promise<ReadonlyArray<number>>
}
interface Watched {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
}
interface Entry extends Watched {
  readonly listeners: Set<{ readonly call: () => void }>
  seen: number | undefined
}

/** Between two notifications of one node. */
const notifyMs = 15
/** Between two looks at the heads: while notifications arrive, and while none can. */
const safetyMs = 1000
const blindMs = 100
/** Before LISTEN is tried again. */
const againMs = 500
/** Postgres takes payloads of less than 8000 bytes. Beyond, the payload says that anything may have changed. */
const longestPayload = 7500
const anything = "*"
const headsPerLook = 1000

export class Watch {
  readonly #options: WatchOptions
  /** Tells our own notifications from those of others. */
  readonly #node: string
  readonly #entries = new Map<string, Entry>()
  #changed = new Set<string>()
  #notifyTimer: NodeJS.Timeout | undefined
  #lookTimer: NodeJS.Timeout | undefined
  #client: pg.Client | undefined
  #hears = false
  #retryTimer: NodeJS.Timeout | undefined
  #isPooled = false
  #closed = false

  constructor(options: WatchOptions, node: string) {
    this.#options = options
    this.#node = node
  }

  subscribe(tenant: Tenant, workflowId: WorkflowId, listener: () => void): () => void {
    if (this.#closed) return () => {}
    const key = keyOf(tenant, workflowId)
    const entry: Entry = this.#entries.get(key) ?? { tenant, workflowId, listeners: new Set(), seen: undefined }
    this.#entries.set(key, entry)
    const one = { call: listener }
    entry.listeners.add(one)
    if (this.#client === undefined && this.#retryTimer === undefined) void this.#listen()
    this.#scheduleLook()
    return () => {
      entry.listeners.delete(one)
      if (entry.listeners.size === 0 && this.#entries.get(key) === entry) this.#entries.delete(key)
    }
  }

  /** Events of these workflows were committed here. */
  committed(workflows: Iterable<Watched>): void {
    for (const { tenant, workflowId } of workflows) this.#changed.add(keyOf(tenant, workflowId))
    if (this.#notifyTimer !== undefined || this.#closed) return
    this.#notifyTimer = setTimeout(() => this.#notify(), notifyMs)
    this.#notifyTimer.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#entries.clear()
    for (const timer of [this.#notifyTimer, this.#lookTimer, this.#retryTimer]) clearTimeout(timer)
    await this.#client?.end().catch(() => {})
  }

  #notify(): void {
    this.#notifyTimer = undefined
    const list = [...this.#changed].join(",")
    this.#changed = new Set()
    const payload = list.length > longestPayload ? anything : list
    // Where it fails, the others look for themselves.
    this.#options.notify(this.#options.channel, `${this.#node} ${payload}`).catch(() => {})
  }

  async #listen(): Promise<void> {
    const client = this.#options.connect()
    this.#client = client
    client.on("notification", ({ payload }) => this.#notified(payload ?? ""))
    client.once("end", () => this.#lost(client))
    client.once("error", () => this.#lost(client))
    try {
      await client.connect()
      if (await isPooled(client)) return this.#lookOnly(client)
      await client.query(`listen ${client.escapeIdentifier(this.#options.channel)}`)
      this.#hears = true
      // What was committed before is not announced again.
      this.#tellAll()
    } catch {
      this.#lost(client)
    }
  }

  /**
   * Behind a pooler LISTEN would stay with a connection that is not ours, which then gets what its next user does not expect.
   * So this node only looks.
   */
  #lookOnly(client: pg.Client): void {
    this.#isPooled = true
    client.end().catch(() => {})
  }

  /** Until it hears again, looks more often. */
  #lost(client: pg.Client): void {
    if (this.#client !== client || this.#isPooled) return
    this.#client = undefined
    this.#hears = false
    client.end().catch(() => {})
    if (this.#closed) return
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined
      if (this.#entries.size > 0) void this.#listen()
    }, againMs)
    this.#retryTimer.unref()
    this.#scheduleLook()
  }

  #notified(payload: string): void {
    const [node, list = anything] = payload.split(" ", 2)
    if (node === this.#node) return
    if (list === anything) return this.#tellAll()
    for (const key of list.split(",")) tell(this.#entries.get(key))
  }

  #tellAll(): void {
    for (const entry of this.#entries.values()) tell(entry)
  }

  #scheduleLook(): void {
    if (this.#closed || this.#entries.size === 0) return
    if (this.#lookTimer !== undefined) return
    this.#lookTimer = setTimeout(() => void this.#look(), this.#hears ? safetyMs : blindMs)
    this.#lookTimer.unref()
  }

  async #look(): Promise<void> {
    const entries = [...this.#entries.values()]
    try {
      for (let from = 0; from < entries.length && !this.#closed; from += headsPerLook) {
        const some = entries.slice(from, from + headsPerLook)
        const heads = await this.#options.heads(some)
        for (const [index, entry] of some.entries()) {
          const head = heads[index]
          if (head === entry.seen) continue
          entry.seen = head
          tell(entry)
        }
      }
    } catch {
      // The store is out of reach: whoever reads will be told so.
    }
    this.#lookTimer = undefined
    this.#scheduleLook()
  }
}

/** Whether the process that a connection was greeted by is not the one that answers it. */
const isPooled = async (client: pg.Client): Promise<boolean> => {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid")
  return rows[0]?.pid !== (client as pg.Client & { readonly processID?: number | null }).processID
}

/** Ids hold neither a slash nor a comma. */
const keyOf = (tenant: Tenant, workflowId: WorkflowId): string => `${tenant}/${workflowId}`

const tell = (entry: Entry | undefined): void => {
  for (const { call } of entry?.listeners ?? []) call()
}
