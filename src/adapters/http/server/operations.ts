/**
 * What each operation of the API does with the `Client`: one function an operation, typed by the definition of the API.
 *
 * It gets what was decoded, in the names of the `Client`, and answers in them; the route turns both. An operation that is
 * defined and has no function here does not compile.
 */
import type { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { durationMs } from "../../../definition/index.ts"
import type { HandoffChanged } from "../../../machines/answers.ts"
import type { SessionId, WorkflowId } from "../../../machines/ids.ts"
import type { EmbeddedClient, ExecuteOptions } from "../../../runtime/EmbeddedClient.ts"
import { fail } from "../../../runtime/errors.ts"
import { limits } from "../../../runtime/limits.ts"
import type { Api } from "../api/Api.ts"
import type { SessionTokens } from "../auth/SessionTokens.ts"
import type { Feeds } from "../events/Feeds.ts"
import { httpLimits } from "../limits.ts"
import type { Camel } from "../wire/cases.ts"
import { flatEvent } from "../wire/eventCases.ts"
import type { Actor } from "./authorize.ts"
import { settled, stepOf } from "./steps.ts"

/** What an operation may use. */
export interface Context {
  readonly client: EmbeddedClient
  readonly actor: Actor
  readonly tokens: SessionTokens
  readonly feeds: Feeds
  readonly idempotencyKey: string | undefined
  /** Aborts when the caller has gone, or the server stops. */
  readonly signal: AbortSignal
  /** Figures and health, which know the whole server. */
  readonly service: {
    metrics(): string | Promise<string>
    ready(): Promise<void>
    document(): unknown
  }
}

type Groups = (typeof Api)["groups"]
type Endpoint = HttpApiGroup.Endpoints<Groups[keyof Groups]>
export type OperationId = Endpoint["identifier"]
type Named<I extends OperationId> = HttpApiEndpoint.WithIdentifier<Endpoint, I>
/** The page of a JSON answer; the stream of `events` is the server's. */
type Answer<I extends OperationId> = Camel<Named<I>["~Success"]["Type"]>
interface Input<I extends OperationId> {
  readonly params: Camel<Named<I>["~Params"]["Type"]>
  readonly query: Camel<Named<I>["~Query"]["Type"]>
  readonly body: Camel<Named<I>["~Payload"]["Type"]>
}
type Operations = {
  readonly [I in OperationId]: (input: Input<I>, context: Context) => Promise<Answer<I>>
}

const optionsOf = ({ actor, idempotencyKey }: Context): ExecuteOptions => ({
  actor: actor.name,
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
})
/** A new session acts in its own name: the runtime says which. */
const entering = ({ idempotencyKey }: Context) => (idempotencyKey === undefined ? {} : { idempotencyKey })

const without = <A extends object, K extends keyof A>(value: A, key: K): Omit<A, K> => {
  const { [key]: _, ...rest } = value
  return rest
}
const numberOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))

const pageOf = (query: { readonly cursor?: string; readonly limit?: string }) => {
  const limit = numberOf(query.limit)
  return {
    ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
    ...(limit === undefined ? {} : { limit }),
  }
}
const membersOf = (query: { readonly open?: "true" | "false"; readonly cursor?: string; readonly limit?: string }) => ({
  ...(query.open === undefined ? {} : { open: query.open === "true" }),
  ...pageOf(query),
})

/** Refuses a workflow that does not exist, which a listing would show as empty; the sequence as of now. */
export const seqOf = (
  { client, actor }: Pick<Context, "client" | "actor">,
  workflowId: WorkflowId,
): Promise<number> => {
  const { governance, run } = client.host
  return settled(run(governance.query(actor.holder.tenant, workflowId, (state) => state.seq)))
}

/** The claimant ends its handoff by ending itself; anybody else who proves to be a session is refused. */
const asClaimant = async (
  { workflowId, handoffId }: { readonly workflowId: string; readonly handoffId: string },
  { generation }: { readonly generation?: number },
  session: SessionId,
  { client }: Context,
): Promise<void> => {
  const handoff = await client.getHandoff(workflowId, handoffId)
  if (handoff.sessionId !== session)
    throw fail("forbidden", `Only the claimant of handoff ${handoffId}, or an operator, may do that.`, { handoffId })
  if (generation !== undefined && generation !== handoff.generation)
    throw fail("stale_generation", `Handoff ${handoffId} is at generation ${handoff.generation}, not ${generation}.`, {
      handoffId,
      generation: handoff.generation,
      status: handoff.status,
    })
}
const changed = async (
  { workflowId, handoffId }: { readonly workflowId: string; readonly handoffId: string },
  seq: number,
  { client }: Context,
): Promise<HandoffChanged> => {
  const row = await client.getHandoff(workflowId, handoffId)
  const { status, generation, reason } = row
  return { handoffId: row.handoffId, workflowId: row.workflowId, status, generation, reason, seq }
}

/** With the token of a session, that session takes back what it offered; without, an operator does. */
const offering = ({ actor }: Context) => (actor.session === undefined ? {} : { sessionId: actor.session })

const raised = ({ role, maxDuration, ...rest }: Input<"raiseLimits">["body"]) => {
  const ms = typeof maxDuration === "string" ? durationMs(maxDuration) : maxDuration
  if (maxDuration !== undefined && ms === undefined)
    throw fail("invalid_request", `${JSON.stringify(maxDuration)} is not a duration. Write for example 24h.`, {
      errors: [{ path: "maxDuration", message: "Expected a duration such as 24h, or milliseconds" }],
    })
  return { ...(role === undefined ? {} : { role }), limits: ms === undefined ? rest : { ...rest, maxDurationMs: ms } }
}

export const operations: Operations = {
  createSession: async ({ body }, context) => {
    const { workflow, ...session } = body
    const { client, tokens, actor } = context
    if (workflow.type === "root") {
      const input = { ...session, ...without(workflow, "type") }
      const { opened, warnings } = await client.openRoot(input, entering(context))
      const sessionToken = tokens.issue(actor.holder.tenant, opened.sessionId)
      return entered({ ...opened, sessionToken }, warnings)
    }
    const opened = await client.execute("claim", { ...session, ...without(workflow, "type") }, entering(context))
    return entered({ ...opened, sessionToken: tokens.issue(actor.holder.tenant, opened.sessionId) }, [])
  },
  getSession: ({ params }, { client }) => client.getSession(params.sessionId),
  preflight: ({ params, body }, context) =>
    context.client.execute("preflight", { ...body, ...params }, optionsOf(context)),
  propose: ({ params, body }, context) => context.client.execute("propose", { ...body, ...params }, optionsOf(context)),
  receipt: ({ params, body }, context) => context.client.execute("receipt", { ...body, ...params }, optionsOf(context)),
  getStep: ({ params, query }, { client, actor, feeds, signal }) =>
    stepOf(client.host, feeds, {
      ...params,
      tenant: actor.holder.tenant,
      waitMs: Math.min(httpLimits.waitMs, numberOf(query.wait) ?? 0),
      signal,
    }),
  offer: ({ params, body }, context) => context.client.execute("offer", { ...body, ...params }, optionsOf(context)),
  heartbeat: async ({ params, body }, context) => {
    const { claimDeadline, ...beat } = await context.client.execute(
      "heartbeat",
      { ...body, ...params },
      optionsOf(context),
    )
    return claimDeadline === null ? beat : { ...beat, claimDeadline }
  },
  complete: ({ params, body }, context) =>
    context.client.execute("complete", { ...body, ...params }, optionsOf(context)),
  fail: ({ params, body }, context) => context.client.execute("fail", { ...body, ...params }, optionsOf(context)),
  release: ({ params, body }, context) => context.client.execute("release", { ...body, ...params }, optionsOf(context)),
  killSession: ({ params, body }, context) =>
    context.client.execute("kill", { ...body, ...params }, optionsOf(context)),
  attach: ({ params, body }, context) => context.client.execute("attach", { ...body, ...params }, optionsOf(context)),

  listWorkflows: ({ query }, { client }) => {
    const { status, role } = query
    return client.listWorkflows({
      ...(status === undefined ? {} : { status }),
      ...(role === undefined ? {} : { role }),
      ...pageOf(query),
    })
  },
  getWorkflow: async ({ params }, { client }) => {
    const { fencedKills: kills, ...view } = await client.getWorkflow(params.workflowId)
    return { ...view, kills }
  },
  listSessions: async ({ params, query }, context) => {
    const seq = await seqOf(context, params.workflowId)
    return { ...(await context.client.listSessions({ ...params, ...membersOf(query) })), seq }
  },
  listHandoffs: async ({ params, query }, context) => {
    const seq = await seqOf(context, params.workflowId)
    return { ...(await context.client.listHandoffs({ ...params, ...membersOf(query) })), seq }
  },
  getHandoff: async ({ params }, context) => {
    const seq = await seqOf(context, params.workflowId)
    return { ...(await context.client.getHandoff(params.workflowId, params.handoffId)), seq }
  },
  getKill: async ({ params }, context) => {
    await seqOf(context, params.workflowId)
    return context.client.getKill(params.workflowId, params.killId)
  },
  events: async ({ params, query }, context) => {
    const { client, actor } = context
    const seq = await seqOf(context, params.workflowId)
    const after = numberOf(query.after) ?? 0
    const limit = numberOf(query.limit) ?? limits.eventPage
    if (limit < 1 || limit > limits.eventPage)
      throw fail("invalid_request", `limit is an integer of 1 to ${limits.eventPage}.`, {
        errors: [{ path: "limit", message: `Expected 1 to ${limits.eventPage}` }],
      })
    if (after >= seq) return { items: [], after, more: false, seq }
    const items: Array<ReturnType<typeof flatEvent>> = []
    const reader = client.host.governance.reader(actor.holder.tenant, params.workflowId, after)
    try {
      const events = await settled(client.host.run(reader.pull))
      items.push(...events.slice(0, limit).map(flatEvent))
    } finally {
      reader.close()
    }
    const last = items.at(-1)?.seq ?? after
    return { items, after: last, more: last < seq, seq }
  },

  reclaim: ({ params, body }, context) =>
    context.client.execute("reclaim", { ...body, ...params, ...offering(context) }, optionsOf(context)),
  withdraw: ({ params, body }, context) =>
    context.client.execute("withdraw", { ...body, ...params, ...offering(context) }, optionsOf(context)),
  completeHandoff: async ({ params, body }, context) => {
    const { session } = context.actor
    if (session === undefined)
      return context.client.execute("completeHandoff", { ...body, ...params }, optionsOf(context))
    await asClaimant(params, body, session, context)
    const { generation: _, ...rest } = body
    const ended = await context.client.execute("complete", { ...rest, sessionId: session }, optionsOf(context))
    return changed(params, ended.seq, context)
  },
  failHandoff: async ({ params, body }, context) => {
    const { session } = context.actor
    if (session === undefined) return context.client.execute("failHandoff", { ...body, ...params }, optionsOf(context))
    await asClaimant(params, body, session, context)
    const ended = await context.client.execute("fail", { reason: body.reason, sessionId: session }, optionsOf(context))
    return changed(params, ended.seq, context)
  },
  killWorkflow: ({ params, body }, context) =>
    context.client.execute("kill", { ...params, ...body, scope: "workflow" }, optionsOf(context)),
  resolveStep: ({ params, body }, context) =>
    context.client.execute("resolveStep", { ...body, ...params }, optionsOf(context)),
  approveStep: ({ params, body }, context) =>
    context.client.execute("approveStep", { ...body, ...params }, optionsOf(context)),
  rejectStep: ({ params, body }, context) =>
    context.client.execute("rejectStep", { ...body, ...params }, optionsOf(context)),
  raiseLimits: ({ params, body }, context) =>
    context.client.execute("raiseLimits", { ...params, ...raised(body) }, optionsOf(context)),

  healthz: async () => ({ status: "ok" }),
  readyz: async (_, { service }) => {
    await service.ready()
    return { status: "ok" }
  },
  metrics: async (_, { service }) => service.metrics(),
  openapi: async (_, { service }) => service.document() as Answer<"openapi">,
}

/** What the wire leaves out is left out here: a root has no parent and no handoff. */
const entered = <A extends { readonly parentSessionId: SessionId | null; readonly handoff: H | null }, H, W>(
  { parentSessionId, handoff, ...opened }: A,
  warnings: ReadonlyArray<W>,
) => ({
  ...opened,
  ...(parentSessionId === null ? {} : { parentSessionId }),
  ...(handoff === null ? {} : { handoff }),
  ...(warnings.length === 0 ? {} : { warnings }),
})
