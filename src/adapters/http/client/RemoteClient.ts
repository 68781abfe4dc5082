/**
 * The remote client: the same `Client`, over HTTP.
 *
 * An input is checked here as the runtime checks it, so a wrong one is refused with the same words and never travels. Every
 * command is sent under an idempotency key, the caller's or one of its own. The tokens of the sessions that it opened are kept,
 * and sent by themselves. It holds no connection but those of calls and streams that are under way.
 */
import { randomUUID } from "node:crypto"
import { Schema } from "effect"
import type { Answers, HandoffGrant, KillReceipt, SessionView } from "../../../machines/answers.ts"
import type { CommandName, InputOf } from "../../../machines/commands.ts"
import type { JournalEvent } from "../../../machines/events.ts"
import { Name } from "../../../machines/ids.ts"
import type { HandoffRow, SessionRow, WorkflowRow } from "../../../machines/projection.ts"
import type {
  CallOptions,
  Client,
  CreateRootInput,
  EventsInput,
  ListMembers,
  ListWorkflows,
  WorkflowView,
} from "../../../runtime/Client.ts"
import { decodeCommand } from "../../../runtime/decode.ts"
import { closedError, fail, WorkflowError } from "../../../runtime/errors.ts"
import { badId, keyOf, pageSize, placeOf, workflowIdOf } from "../../../runtime/inputs.ts"
import type { Page } from "../../../runtime/Journal.ts"
import { Session } from "../../../runtime/Session.ts"
import type { Answer, Body, OperationId, Params, Query } from "./calls.ts"
import { follow } from "./EventFollower.ts"
import type { Outgoing } from "./Exchange.ts"
import { type ClientSettings, type ConnectOptions, readConnectOptions } from "./options.ts"
import { TokenBook } from "./TokenBook.ts"
import { Transport } from "./Transport.ts"

const isName = Schema.is(Name)
const loadCalls = () => import("./calls.ts")

interface Ask<I extends OperationId> {
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body<I>
  /** A session's token. */
  readonly token?: string | undefined
  /** Of a command. */
  readonly key?: string
}
type Own = Exclude<CommandName & keyof Answers, "createRoot" | "claim" | "tick">

export class RemoteClient implements Client {
  readonly #settings: ClientSettings
  readonly #transport: Transport
  readonly #tokens: TokenBook
  #calls: ReturnType<typeof loadCalls> | undefined

  constructor(options: ConnectOptions) {
    this.#settings = readConnectOptions(options)
    this.#transport = new Transport(this.#settings)
    this.#tokens = new TokenBook(this.#settings.sessionTokens)
  }

  /** The token of a session that this client opened, for the `sessionTokens` of another process. It is a secret. */
  sessionToken(sessionId: string): string | undefined {
    return this.#tokens.of(sessionId)
  }

  async createRoot(input: CreateRootInput, options?: CallOptions): Promise<Session> {
    if (typeof input !== "object" || input === null) this.#checked("createRoot", input, options)
    const { definition, ...rest } = input
    const key = this.#checked("createRoot", { ...rest, definitionHash: "" }, options)
    const { workflowId, role, agent, sessionId } = rest
    const workflow = { type: "root" as const, workflowId, role, definition }
    const opened = await this.#ask("createSession", { body: { agent, ...optional({ sessionId }), workflow }, key })
    return this.#entered(opened)
  }

  async claim(input: InputOf<"claim">, options?: CallOptions): Promise<Session> {
    const key = this.#checked("claim", input, options)
    const { agent, sessionId, ...rest } = input
    const workflow = { type: "child" as const, ...rest }
    const opened = await this.#ask("createSession", { body: { agent, ...optional({ sessionId }), workflow }, key })
    return this.#entered(opened)
  }

  async attach(input: InputOf<"attach">, options?: CallOptions): Promise<Session> {
    const { sessionId, ...body } = input
    const view = await this.#own("attach", "attach", input, body, options)
    this.#tokens.locate(sessionId, view.workflowId)
    return new Session(this, view)
  }

  offer(input: InputOf<"offer">, options?: CallOptions): Promise<Answers["offer"]> {
    return this.#own("offer", "offer", input, withoutSession(input), options)
  }
  preflight(input: InputOf<"preflight">, options?: CallOptions): Promise<Answers["preflight"]> {
    return this.#own("preflight", "preflight", input, withoutSession(input), options)
  }
  propose(input: InputOf<"propose">, options?: CallOptions): Promise<Answers["propose"]> {
    return this.#own("propose", "propose", input, withoutSession(input), options)
  }
  receipt(input: InputOf<"receipt">, options?: CallOptions): Promise<Answers["receipt"]> {
    return this.#own("receipt", "receipt", input, withoutSession(input), options)
  }
  async heartbeat(input: InputOf<"heartbeat">, options?: CallOptions): Promise<Answers["heartbeat"]> {
    const beat = await this.#own("heartbeat", "heartbeat", input, withoutSession(input), options)
    return { ...beat, claimDeadline: beat.claimDeadline ?? null }
  }
  release(input: InputOf<"release">, options?: CallOptions): Promise<Answers["release"]> {
    return this.#own("release", "release", input, withoutSession(input), options)
  }
  complete(input: InputOf<"complete">, options?: CallOptions): Promise<Answers["complete"]> {
    return this.#own("complete", "complete", input, withoutSession(input), options)
  }
  fail(input: InputOf<"fail">, options?: CallOptions): Promise<Answers["fail"]> {
    return this.#own("fail", "fail", input, withoutSession(input), options)
  }

  async completeHandoff(input: InputOf<"completeHandoff">, options?: CallOptions): Promise<Answers["completeHandoff"]> {
    const key = this.#checked("completeHandoff", input, options)
    const { workflowId, handoffId, ...body } = input
    return this.#ask("completeHandoff", { params: ofHandoff(workflowId, handoffId), body, key })
  }
  async failHandoff(input: InputOf<"failHandoff">, options?: CallOptions): Promise<Answers["failHandoff"]> {
    const key = this.#checked("failHandoff", input, options)
    const { workflowId, handoffId, ...body } = input
    return this.#ask("failHandoff", { params: ofHandoff(workflowId, handoffId), body, key })
  }
  async reclaim(input: InputOf<"reclaim">, options?: CallOptions): Promise<Answers["reclaim"]> {
    const key = this.#checked("reclaim", input, options)
    const { workflowId, handoffId, sessionId, ...body } = input
    const token = await this.#proof(sessionId)
    return this.#ask("reclaim", { params: ofHandoff(workflowId, handoffId), body, key, token })
  }
  async withdraw(input: InputOf<"withdraw">, options?: CallOptions): Promise<Answers["withdraw"]> {
    const key = this.#checked("withdraw", input, options)
    const { workflowId, handoffId, sessionId, ...body } = input
    const token = await this.#proof(sessionId)
    return this.#ask("withdraw", { params: ofHandoff(workflowId, handoffId), body, key, token })
  }

  async kill(input: InputOf<"kill">, options?: CallOptions): Promise<KillReceipt> {
    const key = this.#checked("kill", input, options)
    const { scope, sessionId, reason, expectedVersion } = input
    if (scope === "workflow") {
      const params = { workflow_id: await this.#workflowOf(input, options) }
      return this.#ask("killWorkflow", { params, body: { reason }, key })
    }
    if (sessionId === undefined)
      throw fail("invalid_request", `A ${scope} kill names its session: give sessionId.`, { scope })
    const body = { scope, reason, ...optional({ expectedVersion }) }
    const token = this.#tokens.of(sessionId)
    return this.#ask("killSession", { params: { session_id: sessionId }, body, key, token })
  }
  async resolveStep(input: InputOf<"resolveStep">, options?: CallOptions): Promise<Answers["resolveStep"]> {
    const key = this.#checked("resolveStep", input, options)
    const { workflowId, stepId, ...body } = input
    return this.#ask("resolveStep", { params: { workflow_id: workflowId, step_id: stepId }, body, key })
  }
  async approveStep(input: InputOf<"approveStep">, options?: CallOptions): Promise<Answers["approveStep"]> {
    const key = this.#checked("approveStep", input, options)
    const { workflowId, stepId, ...body } = input
    return this.#ask("approveStep", { params: { workflow_id: workflowId, step_id: stepId }, body, key })
  }
  async rejectStep(input: InputOf<"rejectStep">, options?: CallOptions): Promise<Answers["rejectStep"]> {
    const key = this.#checked("rejectStep", input, options)
    const { workflowId, stepId, ...body } = input
    return this.#ask("rejectStep", { params: { workflow_id: workflowId, step_id: stepId }, body, key })
  }
  async raiseLimits(input: InputOf<"raiseLimits">, options?: CallOptions): Promise<Answers["raiseLimits"]> {
    const key = this.#checked("raiseLimits", input, options)
    const { workflowId, role, limits } = input
    const { maxDurationMs: maxDuration, ...rest } = limits
    const body = { ...rest, ...optional({ role, maxDuration }) }
    return this.#ask("raiseLimits", { params: { workflow_id: workflowId }, body, key })
  }

  async getWorkflow(workflowId: string): Promise<WorkflowView> {
    const { kills: fencedKills, ...view } = await this.#look("getWorkflow", workflowId, {})
    return { ...view, fencedKills }
  }
  async getSession(sessionId: string, options?: Pick<CallOptions, "workflowId">): Promise<SessionView> {
    if (!isName(sessionId)) throw badId("sessionId", sessionId)
    if (options?.workflowId !== undefined) workflowIdOf(options.workflowId)
    const token = this.#tokens.of(sessionId)
    const view = await this.#ask("getSession", { params: { session_id: sessionId }, token })
    this.#tokens.locate(sessionId, view.workflowId)
    return view
  }
  async getHandoff(workflowId: string, handoffId: string): Promise<HandoffRow> {
    if (!isName(handoffId)) throw badId("handoffId", handoffId)
    return this.#look("getHandoff", workflowId, { params: { handoff_id: handoffId } })
  }
  async getKill(workflowId: string, killId: string): Promise<KillReceipt> {
    if (!isName(killId)) throw badId("killId", killId)
    return this.#look("getKill", workflowId, { params: { kill_id: killId } })
  }
  async listWorkflows(query: ListWorkflows = {}): Promise<Page<WorkflowRow>> {
    const { status, role } = query
    return this.#ask("listWorkflows", { query: { status, role, ...pageOf(query) } })
  }
  async listSessions(query: ListMembers): Promise<Page<SessionRow>> {
    return this.#look("listSessions", query.workflowId, { query: membersOf(query) })
  }
  async listHandoffs(query: ListMembers): Promise<Page<HandoffRow>> {
    return this.#look("listHandoffs", query.workflowId, { query: membersOf(query) })
  }

  /** As the embedded client's; where the server is away for longer than `timeoutMs` it rejects with `storage_unavailable`. */
  async *events(input: EventsInput): AsyncGenerator<JournalEvent, void, void> {
    const workflowId = workflowIdOf(input.workflowId)
    const after = placeOf(input.after)
    if (this.#transport.exchange.isClosed) throw closedError()
    const { eventOf, requestOf } = await this.#loaded()
    const request = (from: number): Outgoing => ({
      ...requestOf("events", { workflow_id: workflowId }, {}),
      headers: {
        accept: "text/event-stream",
        "last-event-id": String(from),
        ...tokenHeader(this.#tokens.ofWorkflow(workflowId)),
      },
    })
    const { timeoutMs, silenceMs } = this.#settings
    const signal = input.signal ?? new AbortController().signal
    yield* follow({ transport: this.#transport, request, decode: eventOf, after, timeoutMs, silenceMs, signal })
  }

  /** Ends what is under way, streams too. The workflows go on. */
  async close(): Promise<void> {
    this.#transport.close()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- below ----

  #loaded(): ReturnType<typeof loadCalls> {
    this.#calls ??= loadCalls()
    return this.#calls
  }

  /** Refuses what the runtime would refuse; answers with the idempotency key to send. */
  #checked(name: CommandName, input: object, options: CallOptions | undefined): string {
    if (this.#transport.exchange.isClosed) throw closedError()
    const command = decodeCommand(name, input)
    if (command instanceof WorkflowError) throw command
    if (options?.workflowId !== undefined) workflowIdOf(options.workflowId)
    if (options?.operator !== undefined && !isName(options.operator)) throw badId("operator", options.operator)
    const key = keyOf(options) ?? randomUUID()
    if (!headerText.test(key))
      throw fail("invalid_request", "Over HTTP an idempotency key is of printable ASCII characters.", {
        errors: [{ path: "idempotencyKey", message: "Expected printable ASCII without spaces at the ends" }],
      })
    return key
  }

  /** A command of a session about itself. */
  async #own<I extends OperationId>(
    name: Own,
    id: I,
    input: { readonly sessionId: string },
    body: Body<I>,
    options: CallOptions | undefined,
  ): Promise<Answer<I>> {
    const key = this.#checked(name, input, options)
    const { sessionId } = input
    return this.#ask(id, { params: { session_id: sessionId }, body, key, token: this.#tokens.of(sessionId) })
  }

  /** A read of a workflow, proven by any of its sessions where one is known. */
  async #look<I extends OperationId>(id: I, workflowId: string, ask: Ask<I>): Promise<Answer<I>> {
    const params = { ...ask.params, workflow_id: workflowIdOf(workflowId) }
    return this.#ask(id, { ...ask, params, token: this.#tokens.ofWorkflow(workflowId) })
  }

  async #ask<I extends OperationId>(id: I, { params = {}, query = {}, body, token, key }: Ask<I>): Promise<Answer<I>> {
    if (this.#transport.exchange.isClosed) throw closedError()
    const { answerOf, bodyOf, requestOf } = await this.#loaded()
    const headers = { ...tokenHeader(token), ...(key === undefined ? {} : { "idempotency-key": key }) }
    const sent = body === undefined ? {} : { body: bodyOf(id, body) }
    return answerOf(id, await this.#transport.call({ ...requestOf(id, params, query), headers, ...sent }))
  }

  #entered(opened: Answer<"createSession">): Session {
    const { sessionToken, parentSessionId = null, handoff = null, ...rest } = opened
    this.#tokens.learn(rest.sessionId, sessionToken, rest.workflowId)
    return new Session(this, { ...rest, parentSessionId, handoff: handoff satisfies HandoffGrant | null })
  }

  /** What proves that a handoff is asked back by the session that offered it: without, it would be asked by an operator. */
  async #proof(sessionId: string | undefined): Promise<string | undefined> {
    if (sessionId === undefined) return undefined
    const token = this.#tokens.of(sessionId)
    if (token !== undefined) return token
    // Whatever is wrong with the session itself is said first.
    await this.getSession(sessionId)
    throw fail("forbidden", `This client has no token of session ${sessionId}: give it as one of sessionTokens.`, {
      needs: "Handrail-Session",
    })
  }

  async #workflowOf(input: InputOf<"kill">, options: CallOptions | undefined): Promise<string> {
    const { workflowId = options?.workflowId, sessionId } = input
    if (workflowId !== undefined) return workflowId
    if (sessionId === undefined) throw fail("invalid_request", "The command names no workflow.")
    return (await this.getSession(sessionId)).workflowId
  }
}

const headerText = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/

const tokenHeader = (token: string | undefined) => (token === undefined ? {} : { "handrail-session": token })
const ofHandoff = (workflowId: string, handoffId: string) => ({ workflow_id: workflowId, handoff_id: handoffId })

const withoutSession = <A extends { readonly sessionId: string }>(input: A): Omit<A, "sessionId"> => {
  const { sessionId: _, ...rest } = input
  return rest
}

/** Without what was left out. */
const optional = <A extends object>(members: A): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof A]?: Exclude<A[K], undefined>
  }

const pageOf = ({ cursor, limit }: { readonly cursor?: string; readonly limit?: number }): Query => ({
  cursor,
  limit: limit === undefined ? undefined : String(pageSize(limit)),
})
const membersOf = (query: ListMembers): Query => ({
  open: query.open === undefined ? undefined : String(query.open),
  ...pageOf(query),
})
