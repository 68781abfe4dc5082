/**
 * A session in the hand of its agent: what it is, and what it may do, over any `Client`.
 *
 * It keeps no state of its own but the last version it heard of; the truth is in the journal.
 */
import type {
  Beat,
  HandoffChanged,
  HandoffGrant,
  HandoffOffered,
  KillReceipt,
  Prepared,
  ProposedStep,
  Receipted,
  Released,
  SessionEnded,
  SessionOpened,
  SessionView,
} from "../machines/answers.ts"
import type { InputOf } from "../machines/commands.ts"
import type { CallOptions, Client } from "./Client.ts"

type Own<K extends "offer" | "preflight" | "propose" | "receipt" | "release" | "complete" | "fail" | "kill"> = Omit<
  InputOf<K>,
  "sessionId"
>

/** As another `Session` has it. */
type Opened = Pick<Session, "workflowId" | "sessionId" | "role" | "agent" | "parentSessionId" | "stateVersion"> & {
  readonly handoff: HandoffGrant | null
}

export class Session {
  readonly workflowId: string
  readonly sessionId: string
  readonly role: string
  readonly agent: string
  readonly parentSessionId: string | null
  /** What was handed over at the claim; null for a root. */
  readonly handedOver: HandoffGrant | null
  readonly #client: Client
  #stateVersion: number

  constructor(client: Client, opened: Opened | Pick<SessionOpened, keyof SessionOpened & keyof SessionView>) {
    this.#client = client
    this.workflowId = opened.workflowId
    this.sessionId = opened.sessionId
    this.role = opened.role
    this.agent = opened.agent
    this.parentSessionId = opened.parentSessionId
    this.handedOver = opened.handoff
    this.#stateVersion = opened.stateVersion
  }

  /** The session's version as of the last answer. */
  get stateVersion(): number {
    return this.#stateVersion
  }

  /** Offers work to another role. The ticket names the handoff that a claimant takes. */
  async handoff(input: Own<"offer">, options?: CallOptions): Promise<HandoffOffered> {
    return this.#heard(await this.#client.offer({ ...input, sessionId: this.sessionId }, this.#with(options)))
  }

  async preflight(input: Own<"preflight"> = {}, options?: CallOptions): Promise<Prepared> {
    return this.#heard(await this.#client.preflight({ ...input, sessionId: this.sessionId }, this.#with(options)))
  }

  /** Asks for admission of tool calls, all or none. Nothing may run before it is admitted. */
  async propose(input: Own<"propose">, options?: CallOptions): Promise<ReadonlyArray<ProposedStep>> {
    const proposed = await this.#client.propose({ ...input, sessionId: this.sessionId }, this.#with(options))
    return this.#heard(proposed).steps
  }

  async receipt(input: Own<"receipt">, options?: CallOptions): Promise<Receipted> {
    return this.#heard(await this.#client.receipt({ ...input, sessionId: this.sessionId }, this.#with(options)))
  }

  /** Renews the claim lease. */
  async heartbeat(options?: CallOptions): Promise<Beat> {
    return this.#heard(await this.#client.heartbeat({ sessionId: this.sessionId }, this.#with(options)))
  }

  async release(input: Own<"release">, options?: CallOptions): Promise<Released> {
    return this.#heard(await this.#client.release({ ...input, sessionId: this.sessionId }, this.#with(options)))
  }

  async complete(input: Own<"complete"> = {}, options?: CallOptions): Promise<SessionEnded> {
    return this.#heard(await this.#client.complete({ ...input, sessionId: this.sessionId }, this.#with(options)))
  }

  async fail(reason: string, options?: CallOptions): Promise<SessionEnded> {
    return this.#heard(await this.#client.fail({ reason, sessionId: this.sessionId }, this.#with(options)))
  }

  /** Takes back a handoff that this session offered. */
  reclaim(ticket: { readonly handoffId: string }, options?: CallOptions): Promise<HandoffChanged> {
    const { workflowId, sessionId } = this
    return this.#client.reclaim({ workflowId, sessionId, handoffId: ticket.handoffId }, this.#with(options))
  }

  withdraw(ticket: { readonly handoffId: string }, options?: CallOptions): Promise<HandoffChanged> {
    const { workflowId, sessionId } = this
    return this.#client.withdraw({ workflowId, sessionId, handoffId: ticket.handoffId }, this.#with(options))
  }

  /** Kills this session alone, or with everything below it. */
  kill(
    input: { readonly scope: "session" | "subtree"; readonly reason: string },
    options?: CallOptions,
  ): Promise<KillReceipt> {
    return this.#client.kill({ ...input, sessionId: this.sessionId }, this.#with(options))
  }

  /** The session as it is now, with its unresolved steps. */
  state(): Promise<SessionView> {
    return this.#client.getSession(this.sessionId, { workflowId: this.workflowId })
  }

  #with(options: CallOptions | undefined): CallOptions {
    return options === undefined ? { workflowId: this.workflowId } : { workflowId: this.workflowId, ...options }
  }

  #heard<A extends { readonly stateVersion: number }>(answer: A): A {
    this.#stateVersion = answer.stateVersion
    return answer
  }
}
