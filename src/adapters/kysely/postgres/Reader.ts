/** Reads of the Postgres store. What has been committed is in the tables at once, so each is plain statements. */
import type { KillReceipt } from "../../../machines/answers.ts"
import { resourceKey } from "../../../machines/ids.ts"
import type { AnswerRow, Archive, ArchiveRefs, ResourceRow, SessionRow, StepRow } from "../../../machines/projection.ts"
import {
  type DueWorkflow,
  type Entry,
  genesisHash,
  type Loaded,
  type Page,
  StorageCorrupt,
} from "../../../runtime/Journal.ts"
import { checkChain } from "../../chain.ts"
import {
  type AnswerColumns,
  type HandoffColumns,
  type KillColumns,
  toAnswer,
  toHandoff,
  toReceipt,
} from "../columns.ts"
import type { Listing } from "../listings.ts"
import type { Statement } from "../query.ts"
import * as Shared from "../reads.ts"
import type { Connections } from "./Connections.ts"
import * as Reads from "./reads.ts"

/** Events that one statement reads at most. */
const eventsPerPage = 2048

interface Opening {
  readonly definitionHash: string
  readonly definition: string | null
  readonly snapshotSeq: number | null
  readonly snapshotHash: string | null
  readonly snapshot: string | null
}

export class Reader {
  readonly #connections: Connections
  readonly #schema: string
  readonly #texts = new Map<string, string>()

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  async load(tenant: string, workflowId: string): Promise<Loaded | undefined> {
    const [found] = await this.#all<Opening>("opening", Reads.opening, [tenant, workflowId])
    if (found === undefined) return undefined
    const { definition, definitionHash, snapshot: text, snapshotHash: hash, snapshotSeq: seq } = found
    if (definition === null) throw new StorageCorrupt({ detail: "its definition is missing", workflowId })
    const snapshot = text === null || hash === null || seq === null ? null : { seq, hash, text }
    const entries: Array<Entry> = []
    for (;;) {
      const after = entries.at(-1)?.seq ?? snapshot?.seq ?? 0
      const page = await this.#events(tenant, workflowId, after, eventsPerPage)
      entries.push(...page)
      if (page.length < eventsPerPage) break
    }
    checkChain(workflowId, snapshot?.hash ?? genesisHash, entries)
    return { definition: { hash: definitionHash, text: definition }, snapshot, entries }
  }

  async read(tenant: string, workflowId: string, after: number, limit: number): Promise<ReadonlyArray<Entry>> {
    if (limit <= 0) return []
    const from = Math.max(after, 0)
    // The event before the page comes along for its hash, so that a page from anywhere can be checked.
    const found = await this.#events(tenant, workflowId, Math.max(from - 1, 0), from === 0 ? limit : limit + 1)
    const entries = from === 0 ? found : found.slice(1)
    checkChain(workflowId, from === 0 ? genesisHash : (found[0]?.hash ?? genesisHash), entries)
    return entries
  }

  async lookup(tenant: string, workflowId: string, refs: ArchiveRefs): Promise<Archive> {
    const [sessions, handoffs, steps, kills, resources, answers] = await Promise.all([
      this.#named<SessionRow>("sessions", Reads.sessions, [tenant], refs.sessions),
      this.#named<HandoffColumns>("handoffs", Reads.handoffs, [tenant, workflowId], refs.handoffs),
      this.#named<StepRow>("steps", Reads.steps, [tenant, workflowId], refs.steps),
      this.#named<KillColumns & { killId: string }>("kills", Reads.kills, [tenant, workflowId], refs.kills),
      this.#resources(tenant, workflowId, refs.resources),
      this.#named<AnswerColumns>("answers", Reads.answers, [tenant, workflowId], refs.answers),
    ])
    return {
      sessions: inOrder(refs.sessions, sessions, (row) => row.sessionId),
      handoffs: inOrder(refs.handoffs, handoffs.map(toHandoff), (row) => row.handoffId),
      steps: inOrder(refs.steps, steps, (row) => row.stepId),
      kills: receipts(refs.kills, kills, workflowId),
      resources: inOrder(refs.resources?.map(resourceKey), resources, resourceKey),
      answers: inOrder<AnswerRow>(
        refs.answers,
        answers.map((row) => toAnswer(row, workflowId)),
        (row) => row.key,
      ),
    }
  }

  async page<Row, A>(listing: Listing<Row, A>): Promise<Page<A>> {
    const rows = await Promise.all(listing.asks.map((ask) => this.#all<Row>(ask.name, ask.statement, ask.parameters)))
    return listing.page(rows.flat())
  }

  due(now: number, limit: number): Promise<ReadonlyArray<DueWorkflow>> {
    return this.#all("dueWorkflows", Shared.dueWorkflows, [now, limit])
  }

  async nextWake(): Promise<number | null> {
    const [row] = await this.#all<{ at: number | null }>("nextWake", Shared.nextWake, [])
    return row?.at ?? null
  }

  async heads(workflows: ReadonlyArray<{ readonly tenant: string; readonly workflowId: string }>) {
    const ids = [workflows.map((one) => one.tenant), workflows.map((one) => one.workflowId)]
    return (await this.#all<{ seq: number }>("heads", Reads.heads, ids)).map((row) => row.seq)
  }

  #events(tenant: string, workflowId: string, after: number, limit: number): Promise<ReadonlyArray<Entry>> {
    return this.#all("eventsAfter", Reads.eventsAfter, [tenant, workflowId, after, limit])
  }

  #resources(tenant: string, workflowId: string, refs: ArchiveRefs["resources"]): Promise<ReadonlyArray<ResourceRow>> {
    if (refs === undefined || refs.length === 0) return Promise.resolve([])
    const pairs = [refs.map((ref) => ref.name), refs.map((ref) => ref.key)]
    return this.#all("resources", Reads.resources, [tenant, workflowId, ...pairs])
  }

  #named<Row>(
    name: string,
    statement: () => Pick<Statement, "postgres">,
    place: ReadonlyArray<string>,
    ids: ReadonlyArray<string> | undefined,
  ): Promise<ReadonlyArray<Row>> {
    return ids === undefined || ids.length === 0 ? Promise.resolve([]) : this.#all(name, statement, [...place, ids])
  }

  #all<Row>(
    name: string,
    statement: () => Pick<Statement, "postgres">,
    values: ReadonlyArray<unknown>,
  ): Promise<ReadonlyArray<Row>> {
    let text = this.#texts.get(name)
    if (text === undefined) {
      text = statement().postgres(this.#schema)
      this.#texts.set(name, text)
    }
    return this.#connections.query<Row>(text, values)
  }
}

/** In the order in which they were asked for. */
const inOrder = <Row>(
  ids: ReadonlyArray<string> | undefined,
  rows: ReadonlyArray<Row>,
  idOf: (row: Row) => string,
): ReadonlyMap<string, Row> => {
  const found = new Map(rows.map((row) => [idOf(row), row]))
  const ordered = new Map<string, Row>()
  for (const id of ids ?? []) {
    const row = found.get(id)
    if (row !== undefined) ordered.set(id, row)
  }
  return ordered
}

const receipts = (
  ids: ReadonlyArray<string> | undefined,
  rows: ReadonlyArray<KillColumns & { readonly killId: string }>,
  workflowId: string,
): ReadonlyMap<string, KillReceipt> =>
  inOrder(
    ids,
    rows.map((row) => toReceipt(row, workflowId)),
    (row) => row.killId,
  )
