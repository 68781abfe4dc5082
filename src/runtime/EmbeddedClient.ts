/**
 * The embedded client: a `Client` in the same process as the runtime.
 *
 * Promises outside, the actor's callback inside: a command costs one promise and no fiber.
 */
import { Cause, Effect, Exit, Schema } from "effect"
import { compile, type Diagnostic, formatDiagnostics, fromArtifact, makeRules } from "../definition/index.ts"
import type { Answers, KillReceipt, SessionOpened, SessionView } from "../machines/answers.ts"
import { canonicalJson } from "../machines/canonical.ts"
import type { CommandName, CommandOf, InputOf } from "../machines/commands.ts"
import type { JournalEvent } from "../machines/events.ts"
import { type Json, Name, SessionId, type Tenant } from "../machines/ids.ts"
import type { HandoffRow, SessionRow, WorkflowRow } from "../machines/projection.ts"
import type { Rules } from "../machines/rules.ts"
import { openView, sessionView } from "../machines/views.ts"
import type {
  CallOptions,
  Client,
  CreateRootInput,
  DefinitionInput,
  EventsInput,
  ListMembers,
  ListWorkflows,
  WorkflowView,
} from "./Client.ts"
import { decodeCommand } from "./decode.ts"
import { closedError, fail, fromStorage, WorkflowError } from "./errors.ts"
import type { GovernanceService } from "./Governance.ts"
import { badId, keyOf, pageSize, placeOf, workflowIdOf } from "./inputs.ts"
import type { Page, StorageError } from "./Journal.ts"
import { limits } from "./limits.ts"
import { Session } from "./Session.ts"
import { workflowView } from "./workflowView.ts"

type Birth = { readonly rules: Rules; readonly text: string; readonly warnings: ReadonlyArray<Diagnostic> }

export interface ExecuteOptions extends CallOptions {
  /** Who acts, as the journal says it, where a host has found that out: a session id or `operator:<name>`. */
  readonly actor?: string
}
export interface RootOpened {
  readonly opened: SessionOpened
  readonly warnings: ReadonlyArray<Diagnostic>
}

export interface EmbeddedOptions {
  readonly governance: GovernanceService
  readonly tenant: Tenant
  /** Runs effects with the runtime's services (its clock, its scheduler). */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<Exit.Exit<A, E | StorageError>>
  readonly close: () => Promise<void>
}

const isSessionId = Schema.is(SessionId)
const isName = Schema.is(Name)

export class EmbeddedClient implements Client {
  readonly #options: EmbeddedOptions
  readonly #births = new Map<string, Birth>()
  #closed = false

  constructor(options: EmbeddedOptions) {
    this.#options = options
  }

  /** The runtime below, for hosts that ask it what the `Client` has no word for. */
  get host(): Pick<EmbeddedOptions, "governance" | "run"> {
    return this.#options
  }
  /** The same runtime for another tenant. Closing that client leaves the runtime open. */
  forTenant(tenant: Tenant): EmbeddedClient {
    return new EmbeddedClient({ ...this.#options, tenant, close: async () => {} })
  }

  async createRoot(input: CreateRootInput, options?: CallOptions): Promise<Session> {
    return new Session(this, (await this.openRoot(input, options)).opened)
  }
  /** `createRoot` for hosts that pass the answer on: with what the compiler has to say about the definition. */
  async openRoot(input: CreateRootInput, options?: ExecuteOptions): Promise<RootOpened> {
    if (typeof input !== "object" || input === null)
      throw fail("invalid_request", "createRoot takes an object.", {
        errors: [{ path: "", message: "Expected an object" }],
      })
    const { definition, ...rest } = input
    const birth = this.#birth(definition)
    const opened = await this.#send("createRoot", { ...rest, definitionHash: birth.rules.hash }, options, birth)
    return { opened, warnings: birth.warnings }
  }
  /** Any other command, with its plain answer: for hosts that pass commands on, and say themselves who acts. */
  execute<K extends Exclude<CommandName & keyof Answers, "createRoot" | "tick">>(
    name: K,
    input: InputOf<K>,
    options?: ExecuteOptions,
  ): Promise<Answers[K]> {
    return this.#send(name, input, options)
  }
  async claim(input: InputOf<"claim">, options?: CallOptions): Promise<Session> {
    return new Session(this, await this.#send("claim", input, options))
  }
  async attach(input: InputOf<"attach">, options?: CallOptions): Promise<Session> {
    return new Session(this, await this.#send("attach", input, options))
  }
  offer(input: InputOf<"offer">, options?: CallOptions) {
    return this.#send("offer", input, options)
  }
  preflight(input: InputOf<"preflight">, options?: CallOptions) {
    return this.#send("preflight", input, options)
  }
  propose(input: InputOf<"propose">, options?: CallOptions) {
    return this.#send("propose", input, options)
  }
  receipt(input: InputOf<"receipt">, options?: CallOptions) {
    return this.#send("receipt", input, options)
  }
  heartbeat(input: InputOf<"heartbeat">, options?: CallOptions) {
    return this.#send("heartbeat", input, options)
  }
  release(input: InputOf<"release">, options?: CallOptions) {
    return this.#send("release", input, options)
  }
  complete(input: InputOf<"complete">, options?: CallOptions) {
    return this.#send("complete", input, options)
  }
  fail(input: InputOf<"fail">, options?: CallOptions) {
    return this.#send("fail", input, options)
  }
  completeHandoff(input: InputOf<"completeHandoff">, options?: CallOptions) {
    return this.#send("completeHandoff", input, options)
  }
  failHandoff(input: InputOf<"failHandoff">, options?: CallOptions) {
    return this.#send("failHandoff", input, options)
  }
  reclaim(input: InputOf<"reclaim">, options?: CallOptions) {
    return this.#send("reclaim", input, options)
  }
  withdraw(input: InputOf<"withdraw">, options?: CallOptions) {
    return this.#send("withdraw", input, options)
  }
  kill(input: InputOf<"kill">, options?: CallOptions) {
    return this.#send("kill", input, options)
  }
  resolveStep(input: InputOf<"resolveStep">, options?: CallOptions) {
    return this.#send("resolveStep", input, options)
  }
  approveStep(input: InputOf<"approveStep">, options?: CallOptions) {
    return this.#send("approveStep", input, options)
  }
  rejectStep(input: InputOf<"rejectStep">, options?: CallOptions) {
    return this.#send("rejectStep", input, options)
  }
  raiseLimits(input: InputOf<"raiseLimits">, options?: CallOptions) {
    return this.#send("raiseLimits", input, options)
  }

  async getWorkflow(workflowId: string): Promise<WorkflowView> {
    const id = workflowIdOf(workflowId)
    const { governance, tenant } = this.#options
    const open = await this.#run(governance.query(tenant, id, openView))
    return this.#run(Effect.mapError(workflowView(governance.journal, tenant, open), fromStorage))
  }

  async getSession(sessionId: string, options?: Pick<CallOptions, "workflowId">): Promise<SessionView> {
    if (!isSessionId(sessionId)) throw badId("sessionId", sessionId)
    const { governance, tenant } = this.#options
    const workflowId =
      options?.workflowId === undefined
        ? await this.#run(governance.locate(tenant, sessionId))
        : workflowIdOf(options.workflowId)
    const live = await this.#run(
      governance.query(tenant, workflowId, (state) => {
        const session = state.sessions.get(sessionId)
        return session === undefined ? { seq: state.seq } : sessionView(state, session)
      }),
    )
    if ("sessionId" in live) return live
    const archive = await this.#storage(governance.journal.lookup(tenant, workflowId, { sessions: [sessionId] }))
    const row = archive.sessions.get(sessionId)
    if (row === undefined || row.workflowId !== workflowId)
      throw fail("session_not_found", `Workflow ${workflowId} has no session ${sessionId}.`, { sessionId })
    return endedSession(row, live.seq)
  }

  async getHandoff(workflowId: string, handoffId: string): Promise<HandoffRow> {
    const { governance, tenant } = this.#options
    const id = workflowIdOf(workflowId)
    const archive = await this.#storage(governance.journal.lookup(tenant, id, { handoffs: [handoffId] }))
    const row = archive.handoffs.get(handoffId)
    if (row === undefined) throw fail("handoff_not_found", `Workflow ${id} has no handoff ${handoffId}.`, { handoffId })
    return row
  }

  async getKill(workflowId: string, killId: string): Promise<KillReceipt> {
    const { governance, tenant } = this.#options
    const id = workflowIdOf(workflowId)
    const archive = await this.#storage(governance.journal.lookup(tenant, id, { kills: [killId] }))
    const receipt = archive.kills.get(killId)
    if (receipt === undefined) throw fail("invalid_request", `Workflow ${id} has no kill ${killId}.`, { killId })
    return receipt
  }

  async listWorkflows(query: ListWorkflows = {}): Promise<Page<WorkflowRow>> {
    const { governance, tenant } = this.#options
    return this.#storage(governance.journal.listWorkflows(tenant, { ...query, limit: pageSize(query.limit) }))
  }
  async listSessions(query: ListMembers): Promise<Page<SessionRow>> {
    const { governance, tenant } = this.#options
    return this.#storage(governance.journal.listSessions(tenant, members(query)))
  }
  async listHandoffs(query: ListMembers): Promise<Page<HandoffRow>> {
    const { governance, tenant } = this.#options
    return this.#storage(governance.journal.listHandoffs(tenant, members(query)))
  }

  async *events(input: EventsInput): AsyncGenerator<JournalEvent, void, void> {
    const { governance, tenant } = this.#options
    const id = workflowIdOf(input.workflowId)
    const after = placeOf(input.after)
    await this.#run(governance.query(tenant, id, () => null))
    const reader = governance.reader(tenant, id, after)
    const stop = (): void => reader.close()
    input.signal?.addEventListener("abort", stop)
    if (input.signal?.aborted === true) stop()
    try {
      for (;;) {
        const exit = await this.#options.run(reader.pull)
        if (Exit.isSuccess(exit)) {
          yield* exit.value
          continue
        }
        const error = Cause.squash(exit.cause)
        if (error instanceof WorkflowError) throw error
        // The reader was closed, by its signal or with the client; anything else is a bug that must not look like an end.
        if (reader.isClosed || this.#closed) return
        throw fail("internal", "Reading events failed. It is a bug in Handrail.")
      }
    } finally {
      input.signal?.removeEventListener("abort", stop)
      reader.close()
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#options.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #send<K extends CommandName & keyof Answers>(
    name: K,
    input: object,
    options: ExecuteOptions | undefined,
    birth?: Birth,
  ): Promise<Answers[K]> {
    return new Promise<Answers[K]>((resolve, reject) => {
      if (this.#closed) throw closedError()
      const command = decodeCommand(name, input)
      if (command instanceof WorkflowError) throw command
      const submission = {
        tenant: this.#options.tenant,
        actor: options?.actor ?? actorOf(command, options),
        key: keyOf(options),
        workflowId: options?.workflowId === undefined ? undefined : workflowIdOf(options.workflowId),
        birth,
      }
      this.#options.governance.submit(command, submission, (error, answer) => {
        if (error === undefined) resolve(answer as Answers[K])
        else reject(error)
      })
    })
  }

  async #run<A>(effect: Effect.Effect<A, WorkflowError>): Promise<A> {
    if (this.#closed) throw closedError()
    const exit = await this.#options.run(effect)
    if (Exit.isSuccess(exit)) return exit.value
    const error = Cause.squash(exit.cause)
    throw this.#closed && !(error instanceof WorkflowError) ? closedError() : error
  }

  #storage<A>(effect: Effect.Effect<A, StorageError>): Promise<A> {
    return this.#run(Effect.mapError(effect, fromStorage))
  }

  /** The rules of a definition, compiled once for each text. */
  #birth(definition: DefinitionInput): Birth {
    if (!isDefinition(definition))
      throw fail("invalid_request", "A definition is workflow.yaml as text, its files, or a compiled artifact.", {
        errors: [{ path: "definition", message: "Expected text, { workflowYaml } or { hash, definition }" }],
      })
    const text = typeof definition === "string" ? definition : canonicalJson(definition)
    const known = this.#births.get(text)
    if (known !== undefined) return known
    const result = compiled(definition)
    if (!result.ok)
      throw fail("invalid_definition", `The definition does not compile.\n${formatDiagnostics(result.diagnostics)}`, {
        errors: result.diagnostics as unknown as Json,
      })
    const rules = makeRules(result.artifact)
    this.#options.governance.loader.keep(rules)
    const birth = { rules, text: canonicalJson(result.artifact.definition), warnings: result.warnings }
    if (this.#births.size >= limits.definitions) this.#births.clear()
    this.#births.set(text, birth)
    return birth
  }
}

/** By its form; what is in it is the compiler's to judge. */
const isDefinition = (value: unknown): boolean => {
  if (typeof value === "string") return true
  if (typeof value !== "object" || value === null) return false
  return "workflowYaml" in value
    ? typeof value.workflowYaml === "string"
    : "hash" in value && typeof value.hash === "string" && "definition" in value && value.definition !== undefined
}

const compiled = (definition: DefinitionInput) => {
  if (typeof definition === "string") return compile({ file: "workflow.yaml", text: definition })
  if (!("workflowYaml" in definition)) return fromArtifact(definition)
  const { workflowYaml, files, file = "workflow.yaml" } = definition
  return compile({ file, text: workflowYaml, ...(files === undefined ? {} : { files }) })
}

/** Who acts, as the journal says it: the operator where one is named, else the session, else an unnamed operator. */
const actorOf = (command: CommandOf<CommandName>, options: CallOptions | undefined): string => {
  if (options?.operator !== undefined) {
    if (!isName(options.operator)) throw badId("operator", options.operator)
    return `operator:${options.operator}`
  }
  const sessionId = "sessionId" in command && command._tag !== "kill" ? command.sessionId : undefined
  if (sessionId !== undefined) return sessionId
  return command._tag === "createRoot" || command._tag === "claim" ? command.agent : "operator:anonymous"
}

const members = (query: ListMembers) => ({
  workflowId: workflowIdOf(query.workflowId),
  limit: pageSize(query.limit),
  ...(query.open === undefined ? {} : { open: query.open }),
  ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
})

const endedSession = (row: SessionRow, seq: number): SessionView => ({
  workflowId: row.workflowId,
  sessionId: row.sessionId,
  role: row.role,
  agent: row.agent,
  parentSessionId: row.parentSessionId,
  status: row.status,
  depth: row.depth,
  handoff: null,
  steps: [],
  owns: [],
  killId: row.killId,
  reason: row.reason,
  createdAt: row.createdAt,
  endedAt: row.endedAt,
  stateVersion: row.version,
  seq,
})
