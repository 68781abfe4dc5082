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
import type { Client, DefinitionInput, WorkflowView } from "../runtime/Client.ts"
import { fail } from "../runtime/errors.ts"
import type { Contracts } from "./contracts.ts"
import { ReplayConfigError } from "./errors.ts"
import { Heartbeats } from "./Heartbeats.ts"
import { type HandoffOutcome, mayEndHandoff, outcomeOfHandoff } from "./handoffs.ts"
import { limits } from "./limits.ts"
import type { Settings } from "./options.ts"
import { type Opened, SessionLink } from "./SessionLink.ts"
import { ToolRunner } from "./ToolRunner.ts"
import type { GovernedTools, Tools } from "./Tools.ts"

/** Names a handoff: what `handoff` answered, or its id alone. */
export interface Ticket {
  readonly handoffId: string
}

export interface AwaitOptions {
  readonly signal?: AbortSignal
  /** Rejects with a `TimeoutError` after so many milliseconds; the handoff goes on. */
  readonly timeoutMs?: number
}

export class ReplaySession<T extends Tools = Tools> {
  /** Null: no provider's client is governed. */
  readonly client = null
  /** The tools, governed: each call is proposed, admitted, run and recorded. */
  readonly tools: GovernedTools<T>
  readonly agent: string
  readonly role: string
  readonly workflowId: string
  /** Rules of this role that are written down and not enforced by this version. */
  readonly unenforced: ReadonlyArray<string>
  readonly #settings: Settings
  readonly #runtime: Client
  readonly #link: SessionLink
  readonly #runner: ToolRunner
  readonly #closing = new AbortController()
  #heartbeats: Heartbeats | undefined
  #closed: Promise<void> | undefined

  constructor(settings: Settings, tools: T, contracts: Contracts, definition: DefinitionInput | undefined) {
    this.#settings = settings
    this.#runtime = settings.runtime
    this.agent = settings.agent
    this.role = settings.workflow.role
    this.workflowId = settings.workflow.workflowId
    this.unenforced = contracts.unenforced
    this.#link = new SessionLink(settings, definition, (opened) => this.#keepLease(opened))
    this.#runner = new ToolRunner(this.#link, contracts, tools)
    this.tools = this.#governed(tools)
    this.#obey(settings.signal)
  }

  /** Opens the session now; later calls answer at once. Rejects with what the runtime refused; it may be called again. */
  async ready(): Promise<this> {
    this.#link.life.check()
    await this.#link.ready()
    return this
  }

  /** Aborts when the session is killed or failed by somebody else, and with the option `signal`; `reason` is the error. */
  get signal(): AbortSignal {
    return this.#link.life.signal
  }

  get sessionId(): string {
    return this.#opened("sessionId").session.sessionId
  }

  /** What the parent handed over; null for a root. */
  get handedOver(): HandoffGrant | null {
    return this.#opened("handedOver").session.handedOver
  }

  /** Steps that the session had begun before this process: the agent finds out what became of them, and says so by `receipt`. */
  get unresolved(): ReadonlyArray<UnresolvedStep> {
    return this.#opened("unresolved").unresolved
  }

  getState(): Promise<SessionView> {
    return this.#link.command((session) => session.state())
  }

  getWorkflowState(): Promise<WorkflowView> {
    return this.#link.read((client, workflowId) => client.getWorkflow(workflowId))
  }

  /** Offers work to another role. */
  handoff(offer: Omit<InputOf<"offer">, "sessionId">): Promise<HandoffOffered> {
    return this.#link.command((session, options) => session.handoff(offer, options))
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
      return await this.#link.wait(
        mayEndHandoff(handoffId),
        async () =>
          outcomeOfHandoff(await this.#link.read((client, workflowId) => client.getHandoff(workflowId, handoffId))),
        waiting.signal,
      )
    } finally {
      clearTimeout(timer)
      options.signal?.removeEventListener("abort", onAbort)
    }
  }

  /** Takes a claimed handoff back, before its first committed step: its claimant is killed, and it may be claimed again. */
  reclaim(ticket: Ticket): Promise<HandoffChanged> {
    return this.#link.command((session, options) => session.reclaim(ticket, options))
  }

  /** Takes an offer back that nobody has claimed. */
  withdraw(ticket: Ticket): Promise<HandoffChanged> {
    return this.#link.command((session, options) => session.withdraw(ticket, options))
  }

  /** Says what became of steps, such as those in `unresolved`. Governed tools do it themselves. */
  receipt(...receipts: InputOf<"receipt">["receipts"]): Promise<Receipted> {
    return this.#link.command((session) => session.receipt({ receipts }))
  }

  /** Renews the claim lease. Happens by itself unless `autoHeartbeat` is false. */
  heartbeat(): Promise<Beat> {
    return this.#link.command((session) => session.heartbeat())
  }

  /** Ends the session well, and with it its handoff; a root's workflow too. Refused while anything of it is open. */
  async complete(
    result?: unknown,
    options: { readonly artifacts?: ReadonlyArray<Artifact> } = {},
  ): Promise<SessionEnded> {
    const input = { ...(result === undefined ? {} : { result }), ...options }
    const ended = await this.#link.command((session, call) => session.complete(input, call))
    this.#end(ended, false)
    return ended
  }

  /** Gives up. Whatever the session has running is aborted, its descendants and its open offers are killed. */
  async fail(reason: string): Promise<SessionEnded> {
    const ended = await this.#link.command((session, call) => session.fail(reason, call))
    this.#end(ended, true)
    return ended
  }

  /** Kills this session: alone, with all below it, or with the whole workflow. Every later call throws `ReplayKillError`. */
  async kill({ scope, reason }: { readonly scope: KillScope; readonly reason: string }): Promise<KillReceipt> {
    const receipt = await this.#link.command((session, options) =>
      scope === "workflow"
        ? this.#runtime.kill({ workflowId: this.workflowId, scope, reason }, options)
        : session.kill({ scope, reason }, options),
    )
    this.#link.killed(receipt)
    return receipt
  }

  /** The workflow's events, those that were first and then live, until the loop breaks or the session is closed. */
  async *events({ after = 0 }: { readonly after?: number } = {}): AsyncGenerator<JournalEvent, void, void> {
    // Also after a kill: what happened may be read when nothing may be done any more.
    if (this.#link.opened === undefined) await this.#link.ready()
    yield* this.#runtime.events({ workflowId: this.workflowId, after, signal: this.#closing.signal })
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
    this.#link.life.end(fail("closed", "The session was closed in this process. Call replay again to resume it."), {
      abort: false,
    })
    this.#closing.abort()
    await this.#runner.drained()
    this.#link.feed.stop()
  }

  #opened(member: string): Opened {
    const { opened } = this.#link
    if (opened !== undefined) return opened
    throw new ReplayConfigError("ready", `${member} is known once the session is open: await session.ready() first.`)
  }

  #end({ sessionId, status }: SessionEnded, abort: boolean): void {
    this.#link.life.end(fail("session_not_active", `Session ${sessionId} has ${status}.`, { sessionId, status }), {
      abort,
    })
  }

  #governed(tools: T): GovernedTools<T> {
    const names = Object.keys(tools)
    const governed = Object.fromEntries(names.map((name) => [name, (args?: unknown) => this.#runner.call(name, args)]))
    // The table is built by name, so its types are those of the given one only by construction.
    return governed as GovernedTools<T>
  }

  #obey(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    const stop = (): void => this.#link.life.end(signal.reason, { abort: true })
    if (signal.aborted) return stop()
    signal.addEventListener("abort", stop, { once: true })
    this.#link.life.onEnd(() => signal.removeEventListener("abort", stop))
  }

  #keepLease({ session, claimDeadline }: Opened): void {
    const handoffId = session.handedOver?.handoffId
    if (!this.#settings.autoHeartbeat || claimDeadline === null || handoffId === undefined) return
    this.#heartbeats ??= new Heartbeats(this.#link, handoffId)
    this.#heartbeats.start()
  }
}

const timeout = (ms: number | undefined, then: () => void): NodeJS.Timeout | undefined =>
  ms === undefined ? undefined : setTimeout(then, Math.min(ms, limits.timerMs))
