/**
 * Appends to the Postgres store: one pipeline, one transaction and one round trip for a group of many workflows.
 *
 * A group is written on the assumption that every head is where its append expects it and nothing that it creates exists.
 * Where that does not hold the pipeline fails as a whole and nothing of it is written; only then is it asked which appends are
 * the reason. They get their answer, the others are written again. So the usual case pays for no lock and no second look, and
 * two nodes that write the same workflow are told apart by the journal's key alone.
 */
import { performance } from "node:perf_hooks"
import type { Append, Appended } from "../../../runtime/Journal.ts"
import type { Connections } from "./Connections.ts"
import { isLostRace, storageError, unavailable } from "./failures.ts"
import { Group, Statements } from "./group.ts"
import type { Part } from "./pipeline.ts"
import type { Reader } from "./Reader.ts"

const appended: Appended = { _tag: "appended" }
const conflict: Appended = { _tag: "conflict" }

/** Times that a group is written anew after a lost race; each takes out at least those that lost. */
const maxTries = 32
/** Roles that are remembered as written; beyond, all are forgotten and written again once. */
const maxRoles = 100_000

/**
 * Beside durability, the only plans that stay right while a table grows from nothing: each row of the group is found by its
 * key. What the planner makes of a table that was empty when it looked would read the whole of it an hour later. And a plan
 * that is made once and kept: left to itself, Postgres plans the updates anew each time, which takes longer than they do.
 */
const local = {
  synchronous_commit: "on",
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  jit: "off",
}
const settings: Part = {
  text: `select ${Object.entries(local)
    .map(([name, value]) => `set_config('${name}', '${value}', true)`)
    .join(", ")}`,
  values: [],
}

export class Appender {
  readonly #connections: Connections
  readonly #reader: Reader
  readonly #statements: Statements
  readonly #committed: (appends: ReadonlyArray<Append>) => void
  readonly #lastOf = new Map<string, Promise<unknown>>()
  #roles = new Set<string>()
  encodeUs = 0
  commitUs = 0

  /** `committed` hears of the appends that wrote events. */
  constructor(
    connections: Connections,
    reader: Reader,
    schema: string,
    committed: (appends: ReadonlyArray<Append>) => void,
  ) {
    this.#connections = connections
    this.#reader = reader
    this.#statements = new Statements(schema)
    this.#committed = committed
  }

  /** Groups that share a workflow are carried out in the order of the calls, others side by side. */
  append(group: ReadonlyArray<Append>): Promise<ReadonlyArray<Appended>> {
    const keys = group.map(({ tenant, workflowId }) => `${tenant} ${workflowId}`)
    const before = new Set(keys.flatMap((key) => this.#lastOf.get(key) ?? []))
    const work = before.size === 0 ? this.#append(group) : Promise.allSettled(before).then(() => this.#append(group))
    const last = work.then(
      () => {},
      () => {},
    )
    for (const key of keys) this.#lastOf.set(key, last)
    return work.finally(() => {
      for (const key of keys) if (this.#lastOf.get(key) === last) this.#lastOf.delete(key)
    })
  }

  async #append(group: ReadonlyArray<Append>): Promise<ReadonlyArray<Appended>> {
    const results = new Map<Append, Appended>()
    const { now, later } = withoutTwins(group)
    let open = now
    for (let tries = 0; open.length > 0; tries++) {
      if (tries === maxTries) throw unavailable("busy", "other nodes were faster every time")
      if (await this.#commit(open)) {
        for (const append of open) results.set(append, appended)
        break
      }
      const verdicts = await this.#inspect(open)
      for (const [append, verdict] of verdicts) results.set(append, verdict)
      open = open.filter((append) => !verdicts.has(append))
    }
    // In turn: what the others have created by now exists.
    for (const append of later) results.set(append, await this.#appendTwin(append))
    return group.map((append) => results.get(append) ?? conflict)
  }

  /** False where a race was lost: nothing was written. */
  async #commit(appends: ReadonlyArray<Append>): Promise<boolean> {
    const started = performance.now()
    const group = new Group(appends, this.#roles)
    const parts = [settings, ...group.parts(this.#statements)]
    const sent = performance.now()
    this.encodeUs += (sent - started) * 1000
    try {
      await this.#connections.commit(parts)
    } catch (error) {
      if (isLostRace(error)) return false
      throw storageError(error)
    } finally {
      this.commitUs += (performance.now() - sent) * 1000
    }
    if (!group.writes) return true
    if (this.#roles.size + group.roles.length > maxRoles) this.#roles = new Set()
    for (const role of group.roles) this.#roles.add(role)
    this.#committed(appends)
    return true
  }

  /** The appends that could not be written as things are, and why. */
  async #inspect(appends: ReadonlyArray<Append>): Promise<ReadonlyMap<Append, Appended>> {
    const heads = await this.#reader.heads(appends)
    const verdicts = new Map<Append, Appended>()
    for (const [index, append] of appends.entries()) {
      if (heads[index] !== append.expectedSeq) verdicts.set(append, conflict)
      else {
        const exists = await this.#existing(append)
        if (exists !== undefined) verdicts.set(append, exists)
      }
    }
    return verdicts
  }

  /** The first session or handoff that the append creates although it is there. */
  async #existing({ tenant, workflowId, projections }: Append): Promise<Appended | undefined> {
    const created = createdBy(projections)
    if (created.length === 0) return undefined
    const ids = (kind: string) => created.filter((one) => one.kind === kind).map((one) => one.id)
    const found = await this.#reader.lookup(tenant, workflowId, { sessions: ids("session"), handoffs: ids("handoff") })
    const first = created.find(({ kind, id }) => (kind === "session" ? found.sessions : found.handoffs).has(id))
    return first === undefined ? undefined : { _tag: "exists", ...first }
  }

  /** An append that creates the same as another of its group, or the same twice. */
  async #appendTwin(append: Append): Promise<Appended> {
    const [head] = await this.#reader.heads([append])
    if (head !== append.expectedSeq) return conflict
    const twice = firstTwice(createdBy(append.projections))
    if (twice !== undefined) return (await this.#existing(append)) ?? { _tag: "exists", ...twice }
    const [result = conflict] = await this.#append([append])
    return result
  }
}

interface Created {
  readonly kind: "session" | "handoff"
  readonly id: string
}

const createdBy = (projections: Append["projections"]): ReadonlyArray<Created> =>
  projections.flatMap((p): ReadonlyArray<Created> => {
    if (p._tag === "sessionCreated") return [{ kind: "session", id: p.row.sessionId }]
    return p._tag === "handoffOffered" ? [{ kind: "handoff", id: p.row.handoffId }] : []
  })

const firstTwice = (created: ReadonlyArray<Created>): Created | undefined =>
  created.find((one, index) => created.findIndex((other) => other.kind === one.kind && other.id === one.id) < index)

/** One statement inserts the sessions of the whole group: of two that are the same, the second waits for its own. */
const withoutTwins = (group: ReadonlyArray<Append>) => {
  const seen = new Set<string>()
  const now: Array<Append> = []
  const later: Array<Append> = []
  for (const append of group) {
    const ids = createdBy(append.projections).map(({ kind, id }) =>
      kind === "session" ? `${append.tenant} ${id}` : `${append.tenant} ${append.workflowId} ${id}`,
    )
    const isTwin = new Set(ids).size < ids.length || ids.some((id) => seen.has(id))
    for (const id of ids) seen.add(id)
    if (isTwin) later.push(append)
    else now.push(append)
  }
  return { now, later }
}
