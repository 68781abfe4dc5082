/**
 * A session's tie to its workflow: it opens on first use, sends commands, and hears when the session has ended.
 *
 * One logical command has one idempotency key for all its tries, so trouble on the way never makes it happen twice (I8).
 * Whatever says that the session is dead, an event or a refusal, ends its `life` here and nowhere else.
 */
import { randomUUID } from "node:crypto"
import type { SessionView, UnresolvedStep } from "../../machines/answers.ts"
import type { EventBody, EventTag, JournalEvent } from "../../machines/events.ts"
import type { CallOptions, Client, DefinitionInput } from "../../runtime/Client.ts"
import { closedError, fail, WorkflowError } from "../../runtime/errors.ts"
import type { Session } from "../../runtime/Session.ts"
import { ReplayKillError } from "../errors.ts"
import type { WorkflowSettings } from "../options.ts"
import { EventFeed } from "./EventFeed.ts"
import { Life } from "./Life.ts"
import { recovered } from "./recover.ts"
import { makeRetry, type Retry } from "./retry.ts"

export interface Opened {
  readonly session: Session
  /** What the session had begun before this process and nobody knows the end of, oldest first. */
  readonly unresolved: ReadonlyArray<UnresolvedStep>
  /** Of these, the ones that the same call takes up. */
  readonly resumable: ReadonlyArray<UnresolvedStep>
  /** Epoch ms of the claim lease; null without one, and once the claimant has made progress. */
  readonly claimDeadline: number | null
}

/** Events after which a session may no longer be active. */
const mayEnd: ReadonlySet<EventTag> = new Set(["killed", "handoff.reclaimed", "session.failed"])

/** Who hears of the session. */
export interface LinkListeners {
  /** What the session did before this process, oldest first, once, ahead of `onOpen`. Left out where nobody wants to know. */
  readonly onPast?: ((bodies: ReadonlyArray<EventBody>, sessionId: string) => void) | undefined
  readonly onOpen: (opened: Opened) => void
  /** Each event of the workflow from then on. */
  readonly onEvent: (body: EventBody, sessionId: string) => void
}

export class SessionLink {
  readonly life = new Life()
  readonly feed: EventFeed
  readonly retry: Retry
  readonly #agent: string
  readonly #settings: WorkflowSettings
  readonly client: Client
  readonly #definition: DefinitionInput | undefined
  readonly #listeners: LinkListeners
  /** The same for every try to open, so that a try whose answer was lost is found again. */
  readonly #openingKey = randomUUID()
  #opening: Promise<Opened> | undefined
  #opened: Opened | undefined

  constructor(
    agent: string,
    settings: WorkflowSettings,
    definition: DefinitionInput | undefined,
    listeners: LinkListeners,
  ) {
    this.#agent = agent
    this.#settings = settings
    this.client = settings.runtime
    this.#definition = definition
    this.#listeners = listeners
    this.retry = makeRetry(settings.commandRetries)
    this.feed = new EventFeed({
      read: (after, signal) => this.client.events({ workflowId: settings.workflow.workflowId, after, signal }),
      onEvent: (event) => this.#mind(event),
      onBroken: (error) => this.life.end(error ?? closedError(), { abort: true }),
    })
    this.life.onEnd(() => this.feed.stop())
  }

  /** Undefined until the session is ready. */
  get opened(): Opened | undefined {
    return this.#opened
  }

  /** Opens the session, once. After an error the next caller tries again. */
  ready(): Promise<Opened> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw this.heard(error)
    })
    return this.#opening
  }

  /** Sends one command of the session, unless it has ended. */
  async command<A>(send: (session: Session, options: CallOptions) => Promise<A>): Promise<A> {
    this.life.check()
    await this.ready()
    this.life.check()
    return this.settle(send)
  }

  /** Sends a command also when the session has ended: what it says has happened already, or the refusal says more than we. */
  async settle<A>(send: (session: Session, options: CallOptions) => Promise<A>): Promise<A> {
    const { session } = await this.ready()
    const options = { idempotencyKey: randomUUID() }
    try {
      return await this.retry(() => send(session, options))
    } catch (error) {
      throw this.heard(error)
    }
  }

  /** Asks about the workflow, unless the session has ended. */
  read<A>(ask: (client: Client, workflowId: string) => Promise<A>): Promise<A> {
    return this.command(({ workflowId }) => ask(this.client, workflowId))
  }

  /** Notes what an error says about the session's life, and answers with the error to throw. */
  heard(error: unknown): unknown {
    if (!(error instanceof WorkflowError)) return error
    const { facts } = error
    if (error.code === "session_killed" || error.code === "workflow_killed") {
      this.killed({ killId: textOf(facts.killId), reason: textOf(facts.reason) })
      return this.life.why()
    }
    if (error.code === "session_not_active") this.life.end(error, { abort: facts.status !== "completed" })
    return error
  }

  killed(kill: { readonly killId: string | null; readonly reason: string | null }): void {
    const { workflow, sessionId: given } = this.#settings
    const sessionId = this.#opened?.session.sessionId ?? given ?? null
    const { killId, reason } = kill
    this.life.end(new ReplayKillError({ workflowId: workflow.workflowId, sessionId, killId, reason }), { abort: true })
  }

  /**
   * Waits for an answer of `look`, which is asked at once and again after each event that `concerns` it: so nothing is missed
   * that happened before, and nothing is polled. Rejects when the session ends or `signal` aborts.
   */
  wait<A>(
    concerns: (body: EventBody) => boolean,
    look: () => Promise<A | undefined>,
    signal?: AbortSignal,
  ): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      let isDone = false
      let isAsking = false
      let again = false
      const done = (settle: () => void): void => {
        if (isDone) return
        isDone = true
        stopListening()
        forgetEnd()
        signal?.removeEventListener("abort", onAbort)
        settle()
      }
      const ask = async (): Promise<void> => {
        again = true
        if (isAsking) return
        isAsking = true
        try {
          while (again && !isDone) {
            again = false
            const found = await look()
            if (found !== undefined) done(() => resolve(found))
          }
        } catch (error) {
          done(() => reject(error))
        }
        isAsking = false
      }
      const onAbort = (): void => done(() => reject(signal?.reason))
      let forgetEnd = (): void => {}
      const stopListening = this.feed.listen(({ body }) => {
        if (concerns(body)) void ask()
      })
      forgetEnd = this.life.onEnd(() => done(() => reject(this.life.why())))
      signal?.addEventListener("abort", onAbort, { once: true })
      if (signal?.aborted === true) onAbort()
      if (!isDone) void ask()
    })
  }

  async #open(): Promise<Opened> {
    this.life.check()
    const session = await this.retry(() => this.#enter())
    const before = await this.#active(session)
    const found = await recovered(session, before.steps, this.#settings.recover, this.retry)
    // What the hooks have told belongs to the past that is recalled.
    const view = found.unresolved.length === before.steps.length ? before : await this.#active(session)
    if (view.stateVersion > 1) await this.#recall(view)
    this.life.check()
    const opened = { session, ...found, claimDeadline: view.handoff?.claimDeadline ?? null }
    this.#opened = opened
    this.feed.start(view.seq)
    this.#listeners.onOpen(opened)
    return opened
  }

  async #active(session: Session): Promise<SessionView> {
    const view = await this.retry(() => session.state())
    if (view.status !== "active") await this.#refused(view)
    this.life.check()
    return view
  }

  /** Tells what the session did before, as the journal has it: its contracts depend on it. */
  async #recall({ workflowId, sessionId, seq }: SessionView): Promise<void> {
    const { onPast } = this.#listeners
    if (onPast === undefined) return
    const done = new AbortController()
    const bodies: Array<EventBody> = []
    for await (const { body, seq: at } of this.client.events({ workflowId, after: 0, signal: done.signal })) {
      if ("sessionId" in body && body.sessionId === sessionId) bodies.push(body)
      if (at >= seq) break
    }
    onPast(bodies, sessionId)
    done.abort()
  }

  /** Creates or claims. With the id of a session that did so before, the answer is that session: never a second one. */
  #enter(): Promise<Session> {
    const { sessionId, workflow } = this.#settings
    const { workflowId, role } = workflow
    const input = { workflowId, role, agent: this.#agent, ...(sessionId === undefined ? {} : { sessionId }) }
    const options = { idempotencyKey: this.#openingKey }
    if (workflow.type === "child") {
      const { parentSessionId, handoffId } = workflow
      return this.client.claim({ ...input, parentSessionId, handoffId }, options)
    }
    if (this.#definition === undefined) throw new Error("a root session has no definition")
    return this.client.createRoot({ ...input, definition: this.#definition }, options)
  }

  /** The runtime's own words for a session that has ended. */
  async #refused({ sessionId, workflowId, status }: SessionView): Promise<never> {
    await this.retry(() => this.client.attach({ sessionId }, { workflowId }))
    throw fail("session_not_active", `Session ${sessionId} has ${status}.`, { sessionId, status })
  }

  async #mind({ body }: JournalEvent): Promise<void> {
    const session = this.#opened?.session
    if (session === undefined || this.life.hasEnded) return
    this.#listeners.onEvent(body, session.sessionId)
    // A child may also be completed by an operator.
    if (body._tag === "session.completed" ? body.sessionId !== session.sessionId : !mayEnd.has(body._tag)) return
    const view = await this.retry(() => session.state())
    if (view.status === "killed") this.killed(view)
    else if (view.status !== "active") {
      const { sessionId, status } = view
      const why = fail("session_not_active", `Session ${sessionId} has ${status}.`, { sessionId, status })
      this.life.end(why, { abort: status !== "completed" })
    }
  }
}

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null)
