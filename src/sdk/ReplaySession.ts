/**
 * An agent's session: governed tools, handoffs, and its own end, over any client.
 *
 * It opens on first use. It keeps no truth of its own: what it may do is decided by the runtime, each time. In this process it
 * holds one reader of events and at most one timer, and `close` gives both back.
 */
import type {
  Beat,
  HandoffChanged,
  HandoffGrant,
  HandoffOffered,
  KillReceipt,
  Receipted,
  SessionEnded,
  SessionView,
  UnresolvedStep,
} from "../machines/answers.ts"
import type { InputOf, KillScope } from "../machines/commands.ts"
import type { JournalEvent } from "../machines/events.ts"
import type { Artifact } from "../machines/ids.ts"
import type { DefinitionInput, WorkflowView } from "../runtime/Client.ts"
import { fail } from "../runtime/errors.ts"
import { ReplayConfigError, ReplayContractError } from "./errors.ts"
import type { Contracts } from "./files/contracts.ts"
import type { Authority } from "./governor/Authority.ts"
import type { Decision } from "./governor/Decision.ts"
import { LocalAuthority } from "./governor/LocalAuthority.ts"
import { makeRulebook, Pipeline } from "./governor/Pipeline.ts"
import type { Governor } from "./governor/Turn.ts"
import { WorkflowAuthority } from "./governor/WorkflowAuthority.ts"
import { limits } from "./limits.ts"
import { Heartbeats } from "./link/Heartbeats.ts"
import { type HandoffOutcome, mayEndHandoff, outcomeOfHandoff } from "./link/handoffs.ts"
import type { Life } from "./link/Life.ts"
import { type Opened, SessionLink } from "./link/SessionLink.ts"
import type { Settings } from "./options.ts"
import { type GovernedClientErrors, governedClient } from "./providers/governedClient.ts"
import { runTools, type ToolMessages } from "./tools/runTools.ts"
import type { GovernedTools, Tools } from "./tools/Tools.ts"
import type { OfferedTools } from "./tools/tool.ts"

/** Names a handoff: what `handoff` answered, or its id alone. */
export interface Ticket {
  readonly handoffId: string
}

export interface AwaitOptions {
  readonly signal?: AbortSignal
  /** Rejects with a `TimeoutError` after so many milliseconds; the handoff goes on. */
  readonly timeoutMs?: number
}

export class ReplaySession<T extends Tools = Tools, C extends object | null = null> {
  /** The client that was given, governed: the same type, and every endpoint. Null where none was. */
  readonly client: C
  /** The tools, governed: each call is proposed, admitted, run and recorded. */
  readonly tools: GovernedTools<T>
  readonly agent: string
  readonly #role: string | undefined
  readonly #workflowId: string | undefined
  readonly #link: SessionLink | undefined
  readonly #pipeline: Pipeline
  readonly #closing = new AbortController()
  #heartbeats: Heartbeats | undefined
  #closed: Promise<void> | undefined

  /** For adapters to agents' frameworks: what stands behind a session. */
  static pipelineOf(session: { readonly tools: object }): Pipeline {
    if (session instanceof ReplaySession) return session.#pipeline
    throw new ReplayConfigError("session", "Give the session that replay answered with.")
  }

  constructor(client: C, settings: Settings, tools: T, contracts: Contracts, definition: DefinitionInput | undefined) {
    const { inWorkflow } = settings
    this.agent = settings.agent
    this.#role = inWorkflow?.workflow.role
    this.#workflowId = inWorkflow?.workflow.workflowId
    const rulebook = makeRulebook(settings, contracts)
    let authority: Authority = new LocalAuthority()
    if (inWorkflow !== undefined) {
      const link = new SessionLink(settings.agent, inWorkflow, definition, {
        onPast: rulebook.isStateful ? (bodies, id) => bodies.forEach((body) => rulebook.remember(body, id)) : undefined,
        onOpen: (opened) => {
          this.#pipeline.runner.resume(opened.resumable)
          this.#keepLease(opened, inWorkflow.autoHeartbeat)
        },
        onEvent: (body, id) => {
          rulebook.follow(body, id)
          this.#pipeline.runner.follow(body, id)
          workflow.follow(body, id)
        },
      })
      const workflow = new WorkflowAuthority(link)
      this.#link = link
      authority = workflow
    }
    this.#pipeline = new Pipeline(settings, tools, contracts, rulebook, authority)
    this.client = governed(client, this.#pipeline.governor, settings)
    this.tools = this.#governed(tools)
    this.#obey(settings.signal)
  }

  get role(): string {
    return this.#inWorkflow("role", this.#role)
  }

  get workflowId(): string {
    return this.#inWorkflow("workflowId", this.#workflowId)
  }

  /** Opens the session now; later calls answer at once. Rejects with what the runtime refused; it may be called again. */
  async ready(): Promise<this> {
    await this.#pipeline.authority.ready()
    return this
  }

  /** Aborts when the session is killed or failed by somebody else, and with the option `signal`; `reason` is the error. */
  get signal(): AbortSignal {
    return this.#life.signal
  }

  get sessionId(): string {
    return this.#opened("sessionId").session.sessionId
  }

  /** What the parent handed over; null for a root. */
  get handedOver(): HandoffGrant | null {
    return this.#opened("handedOver").session.handedOver
  }

  /**
   * Steps that the session had begun before this process: the agent finds out what became of them, and says so by
   * `receipt`. Those that were not admitted yet, such as one that awaits approval, it need not mind: the same call of the
   * tool takes them up.
   */
  get unresolved(): ReadonlyArray<UnresolvedStep> {
    return this.#opened("unresolved").unresolved
  }

  getState(): Promise<SessionView> {
    return this.#workflow.command((session) => session.state())
  }

  getWorkflowState(): Promise<WorkflowView> {
    return this.#workflow.read((client, workflowId) => client.getWorkflow(workflowId))
  }

  /** The phase of session.yaml in which the session is; null without phases. */
  get phase(): string | null {
    return this.#pipeline.rulebook.phase
  }

  /** What was decided lately and why, oldest first: the last 100 turns. */
  get decisions(): ReadonlyArray<Decision> {
    return this.#pipeline.log.latest
  }

  /** Which of these tools may be called now, whatever the arguments. Default: the session's own. */
  allowedTools(tools: ReadonlyArray<string> = Object.keys(this.tools)): ReadonlyArray<string> {
    this.#life.check()
    const removed = this.#pipeline.rulebook.narrow(tools)
    return tools.filter((tool) => !removed.has(tool))
  }

  /**
   * The session's tools that have a schema (`tool({ parameters, … })`) and may be called now, for the `tools` of a
   * request to this provider. The request is narrowed anyway: this spares writing the schemas twice.
   */
  offered<K extends keyof OfferedTools>(provider: K): Array<OfferedTools[K]> {
    return this.#pipeline.schemas.offered(provider, this.allowedTools())
  }

  /**
   * Runs the tool calls of a model's answer with the session's tools, all at once, and answers with what to append to the next
   * request. What a tool throws is told to the model; a kill, and trouble with the control plane, reject.
   */
  runTools<A extends object>(answer: A): Promise<ToolMessages<A>> {
    return runTools(this.#pipeline.runner, answer)
  }

  /** Only these tools are offered and may be called from now on, as far as the contracts allow them; null lifts it. */
  narrow(tools: ReadonlyArray<string> | null): void {
    this.#pipeline.rulebook.restrict(tools ?? undefined)
  }

  /** Offers work to another role. */
  handoff(offer: Omit<InputOf<"offer">, "sessionId">): Promise<HandoffOffered> {
    return this.#workflow.command((session, options) => session.handoff(offer, options))
  }

  /** Waits until a handoff has ended, well or not, also over its reclaims. */
  async awaitHandoff(ticket: Ticket, options: AwaitOptions = {}): Promise<HandoffOutcome> {
    const { handoffId } = ticket
    const waiting = new AbortController()
    const onAbort = (): void => waiting.abort(options.signal?.reason)
    options.signal?.addEventListener("abort", onAbort, { once: true })
    if (options.signal?.aborted === true) onAbort()
    const timer = timeout(options.timeoutMs, () =>
      waiting.abort(
        new DOMException(`Handoff ${handoffId} did not end within ${options.timeoutMs} ms`, "TimeoutError"),
      ),
    )
    try {
      return await this.#workflow.wait(
        mayEndHandoff(handoffId),
        async () =>
          outcomeOfHandoff(await this.#workflow.read((client, workflowId) => client.getHandoff(workflowId, handoffId))),
        waiting.signal,
      )
    } finally {
      clearTimeout(timer)
      options.signal?.removeEventListener("abort", onAbort)
    }
  }

  /** Takes a claimed handoff back, before its first committed step: its claimant is killed, and it may be claimed again. */
  reclaim(ticket: Ticket): Promise<HandoffChanged> {
    return this.#workflow.command((session, options) => session.reclaim(ticket, options))
  }

  /** Takes an offer back that nobody has claimed. */
  withdraw(ticket: Ticket): Promise<HandoffChanged> {
    return this.#workflow.command((session, options) => session.withdraw(ticket, options))
  }

  /** Says what became of steps, such as those in `unresolved`. Governed tools do it themselves. */
  async receipt(...receipts: InputOf<"receipt">["receipts"]): Promise<Receipted> {
    const answer = await this.#workflow.command((session) => session.receipt({ receipts }))
    this.#pipeline.runner.settled(receipts.map(({ stepId }) => stepId))
    return answer
  }

  /** Renews the claim lease. Happens by itself unless `autoHeartbeat` is false. */
  heartbeat(): Promise<Beat> {
    return this.#workflow.command((session) => session.heartbeat())
  }

  /** Ends the session well, and with it its handoff; a root's workflow too. Refused while anything of it is open. */
  async complete(
    result?: unknown,
    options: { readonly artifacts?: ReadonlyArray<Artifact> } = {},
  ): Promise<SessionEnded> {
    await this.#pipeline.runner.abandon()
    await this.#pipeline.authority.payUp()
    const input = { ...(result === undefined ? {} : { result }), ...options }
    const ended = await this.#workflow.command((session, call) => session.complete(input, call))
    this.#end(ended, false)
    return ended
  }

  /** Gives up. Whatever the session has running is aborted, its descendants and its open offers are killed. */
  async fail(reason: string): Promise<SessionEnded> {
    const ended = await this.#workflow.command((session, call) => session.fail(reason, call))
    this.#end(ended, true)
    return ended
  }

  /** Kills this session: alone, with all below it, or with the whole workflow. Every later call throws `ReplayKillError`. */
  async kill({ scope, reason }: { readonly scope: KillScope; readonly reason: string }): Promise<KillReceipt> {
    const receipt = await this.#workflow.command((session, options) =>
      scope === "workflow"
        ? this.#workflow.client.kill({ workflowId: this.workflowId, scope, reason }, options)
        : session.kill({ scope, reason }, options),
    )
    this.#workflow.killed(receipt)
    return receipt
  }

  /** The workflow's events, those that were first and then live, until the loop breaks or the session is closed. */
  async *events({ after = 0 }: { readonly after?: number } = {}): AsyncGenerator<JournalEvent, void, void> {
    // Also after a kill: what happened may be read when nothing may be done any more.
    const link = this.#workflow
    if (link.opened === undefined) await link.ready()
    yield* link.client.events({ workflowId: this.workflowId, after, signal: this.#closing.signal })
  }

  /**
   * Leaves the session, which stays active: running tools are aborted and their receipts sent, then nothing of it is left in this
   * process. Another `replay` with the same `sessionId` resumes it.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#life.end(fail("closed", "The session was closed in this process. Call replay again to resume it."), {
      abort: false,
    })
    this.#closing.abort()
    await this.#pipeline.drained()
    this.#link?.feed.stop()
  }

  get #life(): Life {
    return this.#pipeline.authority.life
  }

  get #workflow(): SessionLink {
    return this.#inWorkflow("This", this.#link)
  }

  #inWorkflow<A>(member: string, value: A | undefined): A {
    if (value !== undefined) return value
    throw new ReplayConfigError("workflow", `${member} is of a session in a workflow: give replay the option workflow.`)
  }

  #opened(member: string): Opened {
    const { opened } = this.#workflow
    if (opened !== undefined) return opened
    throw new ReplayConfigError("ready", `${member} is known once the session is open: await session.ready() first.`)
  }

  #end({ sessionId, status }: SessionEnded, abort: boolean): void {
    this.#life.end(fail("session_not_active", `Session ${sessionId} has ${status}.`, { sessionId, status }), { abort })
  }

  #governed(tools: T): GovernedTools<T> {
    const names = Object.keys(tools)
    const governed = Object.fromEntries(
      names.map((name) => [name, (args?: unknown) => this.#pipeline.runner.call(name, args)]),
    )
    // The table is built by name, so its types are those of the given one only by construction.
    return governed as GovernedTools<T>
  }

  #obey(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    const stop = (): void => this.#life.end(signal.reason, { abort: true })
    if (signal.aborted) return stop()
    signal.addEventListener("abort", stop, { once: true })
    this.#life.onEnd(() => signal.removeEventListener("abort", stop))
  }

  #keepLease({ session, claimDeadline }: Opened, isWanted: boolean): void {
    const handoffId = session.handedOver?.handoffId
    if (!isWanted || claimDeadline === null || handoffId === undefined || this.#link === undefined) return
    this.#heartbeats ??= new Heartbeats(this.#link, handoffId)
    this.#heartbeats.start()
  }
}

const governed = <C extends object | null>(client: C, governor: Governor, settings: Settings): C => {
  if (client === null) return client
  const { ungovernedEndpoints = "block" } = settings
  return governedClient(client, governor, { ungovernedEndpoints, errors: clientErrors })
}

const clientErrors: GovernedClientErrors = {
  unsupportedClient: (found, supported) =>
    new ReplayConfigError("client", `${found} can't be governed. Give ${supported}, or null for tools alone.`),
  ungovernedEndpoint: (endpoint, why) => {
    const detail = `${why} Set ungovernedEndpoints to "allow" to call it past the contracts.`
    return new ReplayContractError([
      { tool: endpoint, path: null, operator: "ungovernedEndpoints", code: "ungoverned_endpoint", detail },
    ])
  },
}

const timeout = (ms: number | undefined, then: () => void): NodeJS.Timeout | undefined =>
  ms === undefined ? undefined : setTimeout(then, Math.min(ms, limits.timerMs))
