/**
 * The runtime as a system under test: the real `Governance` over a store, with a clock that stands until the sequence moves it.
 */
import { Clock, Effect, Exit, Layer, ManagedRuntime } from "effect"
import { artifactOf, makeRules } from "../../definition/index.ts"
import { canonicalJson } from "../../machines/canonical.ts"
import type { Command } from "../../machines/commands.ts"
import type { Definition } from "../../machines/definition.ts"
import type { JournalEvent } from "../../machines/events.ts"
import { Tenant, WorkflowId } from "../../machines/ids.ts"
import type { State } from "../../machines/state.ts"
import { Governance, type GovernanceService, type Submission } from "../../runtime/Governance.ts"
import type { Journal, StorageError } from "../../runtime/Journal.ts"
import { verifyTenant } from "../../runtime/verify.ts"
import type { Counter, Ledger, WorkflowObservation } from "./observe.ts"
import type { Answered, Sut, SutFactory, SutOptions } from "./sut.ts"

/** A store that can be opened again: what a restart finds. */
export interface StoreFactory {
  readonly name: string
  /** A new, empty store. */
  make(): Promise<{
    readonly layer: () => Layer.Layer<Journal, StorageError>
    readonly remove: () => Promise<void>
    /** Where commands go another way than straight to the runtime: over HTTP, say, to others on the same store and clock. */
    readonly openDoor?: (clock: Clock.Clock) => Promise<Door>
  }>
}
export interface Door {
  send(tenant: Tenant, command: Command, options: DoorOptions): Promise<Answered>
  close(): Promise<void>
}
export interface DoorOptions {
  readonly key?: string
  /** The definition of a `createRoot`, compiled. */
  readonly definition?: { readonly hash: string; readonly definition: unknown }
}

const owner = Tenant.make("owner")
const stranger = Tenant.make("stranger")

/** A clock that shows what it is told, and never ends a sleep: deadlines fire because the workflow is asked. */
class StandingClock implements Clock.Clock {
  now = 0
  currentTimeMillisUnsafe = (): number => this.now
  currentTimeNanosUnsafe = (): bigint => BigInt(this.now) * 1_000_000n
  currentTimeMillis = Effect.sync(() => this.now)
  currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  monotonicTimeNanosUnsafe = this.currentTimeNanosUnsafe
  monotonicTimeNanos = this.currentTimeNanos
  sleep = (): Effect.Effect<void> => Effect.never
}

/** The real runtime on `store`, for `run`. Each sequence has a store of its own. */
export const runtimeSut = (store: StoreFactory, runs = 100): SutFactory => ({
  name: store.name,
  runs,
  make: async (definition) => {
    const sut = new RuntimeSut(definition, await store.make())
    await sut.start()
    return sut
  },
})

type Birth = NonNullable<Submission["birth"]>
const birthOf = (definition: Definition): Birth => ({
  rules: makeRules(artifactOf(definition)),
  text: canonicalJson(definition),
})

class RuntimeSut implements Sut {
  readonly definitionHash: string
  readonly #birth: Birth
  /** What the model knows as another definition, by another hash: the same rules under another name. */
  readonly #otherBirth: Birth
  readonly #store
  readonly #clock = new StandingClock()
  readonly #workflows = new Set<WorkflowId>()
  #runtime: ManagedRuntime.ManagedRuntime<Governance, StorageError> | undefined
  #governance: GovernanceService | undefined
  #door: Door | undefined
  readonly #keys = new Set<string>()

  constructor(definition: Definition, store: Awaited<ReturnType<StoreFactory["make"]>>) {
    this.#birth = birthOf(definition)
    this.#otherBirth = birthOf({ ...definition, workflow: "other" })
    this.definitionHash = this.#birth.rules.hash
    this.#store = store
  }

  async start(): Promise<void> {
    const clock = Layer.succeed(Clock.Clock, this.#clock)
    this.#runtime = ManagedRuntime.make(Governance.layer.pipe(Layer.provide(this.#store.layer()), Layer.provide(clock)))
    this.#governance = await this.#runtime.runPromise(Effect.map(Governance, (governance) => governance))
    this.#door = await this.#store.openDoor?.(this.#clock)
  }

  get #running(): GovernanceService {
    if (this.#governance === undefined) throw new Error("the runtime is not started")
    return this.#governance
  }

  #send(tenant: Tenant, command: Command, options: SutOptions): Promise<Answered> {
    this.#clock.now = options.now
    if (options.key !== undefined) this.#keys.add(options.key)
    let sent = command
    let submission: { readonly birth?: Birth } = {}
    if (command._tag === "createRoot") {
      const birth = command.definitionHash === this.definitionHash ? this.#birth : this.#otherBirth
      sent = { ...command, definitionHash: birth.rules.hash }
      submission = { birth }
    }
    if (this.#door !== undefined) return this.#door.send(tenant, sent, { ...options, ...compiled(submission.birth) })
    return new Promise((resolve) => {
      this.#running.submit(sent, { tenant, actor: "test", key: options.key, ...submission }, (error, answer) =>
        resolve(
          error === undefined
            ? { ok: true, answer }
            : { ok: false, code: error.code, facts: { ...error.facts, detail: error.detail } },
        ),
      )
    })
  }

  async execute(command: Command, options: SutOptions): Promise<Answered> {
    this.#clock.now = options.now
    for (const workflowId of this.#workflows) await this.#query(workflowId, () => null)
    const answered = await this.#send(owner, command, options)
    if (answered.ok && command._tag === "createRoot") this.#workflows.add(command.workflowId)
    return answered
  }

  executeAsStranger(command: Command, options: SutOptions): Promise<Answered> {
    return this.#send(stranger, command, options)
  }

  #query<A>(workflowId: WorkflowId, read: (state: State) => A): Promise<A> {
    return this.#run(this.#running.query(owner, workflowId, read))
  }

  async #run<A, E>(effect: Effect.Effect<A, E>): Promise<A> {
    const exit = await Effect.runPromiseExit(effect)
    if (Exit.isSuccess(exit)) return exit.value
    throw new Error(`the runtime failed: ${String(exit.cause)}`)
  }

  async observe() {
    const workflows: Record<string, WorkflowObservation> = {}
    for (const workflowId of this.#workflows) workflows[workflowId] = await this.#observe(workflowId)
    return { workflows }
  }

  async #observe(workflowId: WorkflowId): Promise<WorkflowObservation> {
    const { versions, fenced, ...live } = await this.#query(workflowId, lookAt)
    const { journal } = this.#running
    const sessions = await this.#run(journal.listSessions(owner, { workflowId, limit: 1000 }))
    const handoffs = await this.#run(journal.listHandoffs(owner, { workflowId, limit: 1000 }))
    const events = await this.events(workflowId)
    return {
      ...live,
      sessions: sessions.items.map((row) => ({
        id: row.sessionId,
        status: row.status,
        version: versions.get(row.sessionId) ?? row.version,
        role: row.role,
        parent: row.parentSessionId,
      })),
      handoffs: handoffs.items.map((row) => ({
        id: row.handoffId,
        status: row.status,
        generation: row.generation,
        claimant: row.status === "claimed" || row.status === "in_progress" ? row.sessionId : null,
      })),
      kills: events.flatMap(({ body, actor }) =>
        body._tag === "killed" && actor !== "system"
          ? [
              {
                id: body.killId,
                scope: body.scope,
                state: fenced.has(body.killId) ? ("fenced" as const) : ("quiescent" as const),
              },
            ]
          : [],
      ),
    }
  }

  async events(workflowId: string): Promise<ReadonlyArray<JournalEvent>> {
    const entries = await this.#run(this.#running.journal.read(owner, WorkflowId.make(workflowId), 0, 100_000))
    return entries.map((entry) => this.#asSent(JSON.parse(entry.text) as JournalEvent))
  }

  /** A door may send a command that was given no key under one of its own. */
  #asSent(event: JournalEvent): JournalEvent {
    const { key, ...rest } = event
    return this.#door === undefined || key === undefined || this.#keys.has(key) ? event : rest
  }

  async verify(): Promise<ReadonlyArray<string>> {
    const { problems } = await this.#run(verifyTenant(this.#running.journal, owner))
    return problems.map(({ workflowId, seq, problem }) => `${workflowId} ${seq ?? ""}: ${problem}`)
  }

  async #stop(): Promise<void> {
    await this.#door?.close()
    await this.#runtime?.dispose()
  }

  async restart(): Promise<void> {
    await this.#stop()
    await this.start()
  }

  async close(): Promise<void> {
    await this.#stop()
    await this.#store.remove()
  }
}

const compiled = (birth: Birth | undefined): Pick<DoorOptions, "definition"> =>
  birth === undefined ? {} : { definition: { hash: birth.rules.hash, definition: JSON.parse(birth.text) } }

/** What can be seen of a state that the rows do not say. */
const lookAt = (state: State) => ({
  status: state.status,
  versions: new Map<string, number>(
    Array.from(state.sessions.values(), (session) => [session.sessionId, session.version]),
  ),
  fenced: new Set<string>(state.kills.keys()),
  steps: Array.from(state.steps.values(), ({ stepId, sessionId, status, unknown, deadline }) => ({
    id: stepId,
    session: sessionId,
    status,
    unknown,
    approvalDeadline: status === "awaiting_approval" ? deadline : null,
  })),
  resources: Array.from(state.resources.values(), ({ ref, owner, fence, version, steps }) => ({
    ...ref,
    owner,
    fence,
    version,
    holders: [...steps],
  })),
  ledger: {
    workflow: ledgerOf(state.account),
    roles: Object.fromEntries(Array.from(state.roleAccounts, ([role, account]) => [role, ledgerOf(account)])),
  },
})

const counter = (used: number, reserved: number): Counter => ({ used, reserved })
const ledgerOf = (account: State["account"]): Ledger => ({
  sessions: counter(account.sessions, 0),
  activeSessions: counter(account.activeSessions, 0),
  steps: counter(account.stepsUsed, account.stepsReserved),
  cost: counter(account.costUsed, account.costReserved),
  tokens: counter(account.tokensUsed, account.tokensReserved),
  openHandoffs: counter(account.openHandoffs, 0),
})
