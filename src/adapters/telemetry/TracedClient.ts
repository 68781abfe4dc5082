/**
 * A client whose calls are spans: what a program asked for, with everything that came of it below.
 *
 * It works over any client. Where that one is in the same process, the commands become children of the calls; where it is remote
 * and was made with `observability.fetch()`, the server's requests do. The calls that open a session answer with one that goes
 * on here.
 */

import type { InputOf } from "../../machines/commands.ts"
import type {
  CallOptions,
  Client,
  CreateRootInput,
  EventsInput,
  ListMembers,
  ListWorkflows,
} from "../../runtime/Client.ts"
import { WorkflowError } from "../../runtime/errors.ts"
import { Session } from "../../runtime/Session.ts"
import type { Tracing } from "./Tracing.ts"

/** The ids that an input or an answer holds. */
interface Named {
  readonly workflowId?: unknown
  readonly sessionId?: unknown
}

export class TracedClient implements Client {
  readonly #client: Client
  readonly #tracing: Tracing

  constructor(client: Client, tracing: Tracing) {
    this.#client = client
    this.#tracing = tracing
  }

  createRoot(input: CreateRootInput, options?: CallOptions): Promise<Session> {
    return this.#opening("createRoot", input, () => this.#client.createRoot(input, options))
  }
  claim(input: InputOf<"claim">, options?: CallOptions): Promise<Session> {
    return this.#opening("claim", input, () => this.#client.claim(input, options))
  }
  attach(input: InputOf<"attach">, options?: CallOptions): Promise<Session> {
    return this.#opening("attach", input, () => this.#client.attach(input, options))
  }
  offer(input: InputOf<"offer">, options?: CallOptions) {
    return this.#call("offer", input, options, () => this.#client.offer(input, options))
  }
  preflight(input: InputOf<"preflight">, options?: CallOptions) {
    return this.#call("preflight", input, options, () => this.#client.preflight(input, options))
  }
  propose(input: InputOf<"propose">, options?: CallOptions) {
    return this.#call("propose", input, options, () => this.#client.propose(input, options))
  }
  receipt(input: InputOf<"receipt">, options?: CallOptions) {
    return this.#call("receipt", input, options, () => this.#client.receipt(input, options))
  }
  heartbeat(input: InputOf<"heartbeat">, options?: CallOptions) {
    return this.#call("heartbeat", input, options, () => this.#client.heartbeat(input, options))
  }
  release(input: InputOf<"release">, options?: CallOptions) {
    return this.#call("release", input, options, () => this.#client.release(input, options))
  }
  complete(input: InputOf<"complete">, options?: CallOptions) {
    return this.#call("complete", input, options, () => this.#client.complete(input, options))
  }
  fail(input: InputOf<"fail">, options?: CallOptions) {
    return this.#call("fail", input, options, () => this.#client.fail(input, options))
  }
  completeHandoff(input: InputOf<"completeHandoff">, options?: CallOptions) {
    return this.#call("completeHandoff", input, options, () => this.#client.completeHandoff(input, options))
  }
  failHandoff(input: InputOf<"failHandoff">, options?: CallOptions) {
    return this.#call("failHandoff", input, options, () => this.#client.failHandoff(input, options))
  }
  reclaim(input: InputOf<"reclaim">, options?: CallOptions) {
    return this.#call("reclaim", input, options, () => this.#client.reclaim(input, options))
  }
  withdraw(input: InputOf<"withdraw">, options?: CallOptions) {
    return this.#call("withdraw", input, options, () => this.#client.withdraw(input, options))
  }
  kill(input: InputOf<"kill">, options?: CallOptions) {
    return this.#call("kill", input, options, () => this.#client.kill(input, options))
  }
  resolveStep(input: InputOf<"resolveStep">, options?: CallOptions) {
    return this.#call("resolveStep", input, options, () => this.#client.resolveStep(input, options))
  }
  approveStep(input: InputOf<"approveStep">, options?: CallOptions) {
    return this.#call("approveStep", input, options, () => this.#client.approveStep(input, options))
  }
  rejectStep(input: InputOf<"rejectStep">, options?: CallOptions) {
    return this.#call("rejectStep", input, options, () => this.#client.rejectStep(input, options))
  }
  raiseLimits(input: InputOf<"raiseLimits">, options?: CallOptions) {
    return this.#call("raiseLimits", input, options, () => this.#client.raiseLimits(input, options))
  }
  getWorkflow(workflowId: string) {
    return this.#call("getWorkflow", { workflowId }, undefined, () => this.#client.getWorkflow(workflowId))
  }
  getSession(sessionId: string, options?: Pick<CallOptions, "workflowId">) {
    return this.#call("getSession", { sessionId }, options, () => this.#client.getSession(sessionId, options))
  }
  getHandoff(workflowId: string, handoffId: string) {
    return this.#call("getHandoff", { workflowId }, undefined, () => this.#client.getHandoff(workflowId, handoffId))
  }
  getKill(workflowId: string, killId: string) {
    return this.#call("getKill", { workflowId }, undefined, () => this.#client.getKill(workflowId, killId))
  }
  listWorkflows(query?: ListWorkflows) {
    return this.#call("listWorkflows", {}, undefined, () => this.#client.listWorkflows(query))
  }
  listSessions(query: ListMembers) {
    return this.#call("listSessions", query, undefined, () => this.#client.listSessions(query))
  }
  listHandoffs(query: ListMembers) {
    return this.#call("listHandoffs", query, undefined, () => this.#client.listHandoffs(query))
  }
  /** No span: a stream lasts as long as its reader wants. */
  events(input: EventsInput) {
    return this.#client.events(input)
  }
  close(): Promise<void> {
    return this.#client.close()
  }

  async #opening(name: string, input: Named, open: () => Promise<Session>): Promise<Session> {
    const { workflowId, sessionId, role, agent, parentSessionId, handedOver, stateVersion } = await this.#call(
      name,
      input,
      undefined,
      open,
    )
    return new Session(this, { workflowId, sessionId, role, agent, parentSessionId, handoff: handedOver, stateVersion })
  }

  async #call<A>(
    name: string,
    input: Named,
    options: Pick<CallOptions, "workflowId"> | undefined,
    run: () => Promise<A>,
  ): Promise<A> {
    const tracing = this.#tracing
    const { current } = tracing
    const span = tracing.start({
      name: `handrail.client ${name}`,
      kind: "client",
      parent: current,
      attributes: {
        "handrail.workflow_id": textOf(input.workflowId) ?? options?.workflowId,
        "handrail.session_id": textOf(input.sessionId),
      },
    })
    let failure: string | undefined
    try {
      return await tracing.within(span ?? current, run)
    } catch (error) {
      const code = error instanceof WorkflowError ? error.code : "internal"
      span?.attribute("handrail.code", code)
      failure = error instanceof WorkflowError && error.status < 500 ? undefined : code
      throw error
    } finally {
      if (span !== undefined) tracing.end(span, failure)
    }
  }
}

const textOf = (id: unknown): string | undefined => (typeof id === "string" ? id : undefined)
