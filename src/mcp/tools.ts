/**
 * The tools of `handrail mcp`: what an agent without an SDK does in a governed workflow. Names of members, and their rules, are
 * those of the HTTP API.
 *
 * A command takes an idempotency key, so that a call whose answer was lost may be made again.
 */
import type { ToolAnnotations } from "@modelcontextprotocol/sdk/types.js"
import { Schema } from "effect"
import * as Answers from "../adapters/http/api/answers.ts"
import * as Bodies from "../adapters/http/api/bodies.ts"
import { HandoffId, Name, opt, Positive, SessionId, StepId, WorkflowId } from "../adapters/http/api/fields.ts"
import { fromWire, toWire } from "../adapters/http/wire/cases.ts"
import { IdempotencyKey } from "../machines/ids.ts"
import type { CallOptions } from "../runtime/Client.ts"
import { fail } from "../runtime/errors.ts"
import { mcpLimits } from "./limits.ts"
import { Opened, openedJson } from "./opened.ts"
import type { SessionBook } from "./SessionBook.ts"
import { decoded, inputSchemaOf, type ObjectSchema, outputSchemaOf } from "./schemas.ts"
import { hasEnded, isWaiting, stepIn, until } from "./waits.ts"

/** What a call may use. */
export interface CallContext {
  readonly book: SessionBook
  /** Of `claim`, where its input leaves them out. */
  readonly defaults: { readonly workflowId: string | undefined; readonly agent: string | undefined }
  /** Aborts when the caller no longer wants the answer. */
  readonly signal: AbortSignal
}

type Json = Readonly<Record<string, unknown>>

export interface AgentTool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly annotations: ToolAnnotations
  readonly inputSchema: ObjectSchema
  readonly outputSchema: ObjectSchema
  /** Rejects with `WorkflowError`. */
  run(input: unknown, context: CallContext): Promise<Json>
}

interface Given<A> {
  readonly name: string
  readonly title: string
  readonly description: ReadonlyArray<string>
  readonly annotations?: ToolAnnotations
  readonly input: Schema.Codec<A, unknown>
  readonly output: Schema.Constraint
  run(input: A, context: CallContext): Promise<Json>
}

const tool = <A>({ description, annotations = {}, input, output, run, ...named }: Given<A>): AgentTool => ({
  ...named,
  description: description.join(" "),
  annotations: { openWorldHint: false, ...annotations },
  inputSchema: inputSchemaOf(input),
  outputSchema: outputSchemaOf(output),
  run: (value, context) => run(decoded(named.name, input, value), context),
})

const session_id = opt(
  SessionId.annotate({ description: "Which of your sessions; only needed where you have several." }),
)
const idempotency_key = opt(
  IdempotencyKey.annotate({
    description: "Any text. Where an answer was lost, send the same call with the same key again: it acts once.",
  }),
)
const ofCommand = { session_id, idempotency_key }
interface OfCommand {
  readonly session_id?: string
  readonly idempotency_key?: string
}

const optionsOf = ({ idempotency_key: idempotencyKey }: OfCommand): CallOptions =>
  idempotencyKey === undefined ? {} : { idempotencyKey }

/** The rest of an input, which is the body of the API's operation. */
const bodyOf = <A extends OfCommand>(input: A): Omit<A, keyof OfCommand> => {
  const { session_id: _session, idempotency_key: _key, ...body } = input
  return body
}

const claim = tool({
  name: "claim",
  title: "Claim a handoff",
  description: [
    "Take over work that another agent has offered. You become a new session in the workflow, and get what was handed over: a",
    "summary, artifacts (references) and resources. Exactly one claimant wins; others are refused with",
    "handoff_already_claimed.",
    "Do this first, unless you were started with a session.",
  ],
  input: Schema.Struct({
    workflow_id: opt(WorkflowId.annotate({ description: "Default: the workflow that this server was started for." })),
    handoff_id: HandoffId,
    parent_session_id: SessionId.annotate({ description: "The session that offered the handoff." }),
    role: Name.annotate({ description: "Your role: the one that the handoff is offered to." }),
    agent: opt(Name.annotate({ description: "Your name, for the people who read the journal." })),
    session_id: opt(
      SessionId.annotate({ description: "Your own id for the new session: claim again with it to resume." }),
    ),
    generation: opt(Positive),
    idempotency_key,
  }),
  output: Opened,
  run: async (input, { book, defaults }) => {
    const { workflow_id: workflowId = defaults.workflowId, agent = defaults.agent ?? "mcp" } = input
    if (workflowId === undefined)
      throw fail("invalid_request", "Say which workflow by workflow_id.", {
        errors: [{ path: "workflow_id", message: "Missing key" }],
      })
    book.checkRoom()
    const { handoff_id: handoffId, parent_session_id: parentSessionId, role, session_id: sessionId, generation } = input
    const session = await book.client.claim(
      {
        workflowId,
        handoffId,
        parentSessionId,
        role,
        agent,
        ...(sessionId === undefined ? {} : { sessionId }),
        ...(generation === undefined ? {} : { generation }),
      },
      optionsOf(input),
    )
    book.add(session)
    return openedJson(session)
  },
})

const handoff = tool({
  name: "handoff",
  title: "Offer work to another role",
  description: [
    "Hand a task over to another agent: offer it to a role, with a summary of what to do (JSON), artifacts (references, never",
    "contents) and the resources that go with it. Somebody in that role claims it later. Wait for its end with state and",
    "handoff_id; you can't complete before it has ended.",
  ],
  input: Schema.Struct({ ...ofCommand, ...Bodies.Offer.fields }),
  output: Answers.HandoffOffered,
  run: async (input, { book }) => {
    const session = book.of(input.session_id)
    const offer = fromWire(Bodies.Offer)(bodyOf(input))
    return offered(await book.command(session, () => session.handoff(offer, optionsOf(input)), false))
  },
})
const offered = toWire(Answers.HandoffOffered)

const propose = tool({
  name: "propose",
  title: "Ask to run tool calls",
  description: [
    "Before you run any tool that changes something, propose the calls of this turn: all are admitted, or none is. Run",
    "a call only",
    "once its step is admitted. A step that is queued waits for its turn, one that is awaiting_approval for a person:",
    "wait with",
    "state and step_id. Hand the fences of a step (name, key, token) to the system that the tool changes. Afterwards",
    "say what became",
    "of each step with receipt. A refusal means: do not run it. Give what this model turn has cost as usage.",
  ],
  input: Schema.Struct({ ...ofCommand, ...Bodies.Propose.fields }),
  output: Answers.Proposed,
  run: async (input, { book }) => {
    const session = book.of(input.session_id)
    const { sessionId, workflowId } = session
    const proposal = { ...fromWire(Bodies.Propose)(bodyOf(input)), sessionId }
    const options = { workflowId, ...optionsOf(input) }
    return proposed(await book.command(session, () => book.client.propose(proposal, options), false))
  },
})
const proposed = toWire(Answers.Proposed)

const receipt = tool({
  name: "receipt",
  title: "Say what became of steps",
  description: [
    "After a tool ran, report its step: committed (it took effect; with its actual_cost, and as evidence what it returned),",
    "aborted (it certainly had no effect), or unknown (you can't tell; somebody will look). Never guess: a wrong committed or",
    "aborted is believed. Several receipts are recorded together, or none is.",
  ],
  input: Schema.Struct({ ...ofCommand, ...Bodies.Receipts.fields }),
  output: Answers.Receipted,
  run: async (input, { book }) => {
    const session = book.of(input.session_id)
    const receipts = fromWire(Bodies.Receipts)(bodyOf(input))
    return receipted(await book.command(session, () => session.receipt(receipts, optionsOf(input)), false))
  },
})
const receipted = toWire(Answers.Receipted)

const complete = tool({
  name: "complete",
  title: "Complete your session",
  description: [
    "You are done, and well: your session ends, and with it the handoff that you claimed, with a result (JSON) and",
    "artifacts for",
    "whoever offered it. Refused while a step of yours is unresolved, or a handoff that you offered is open.",
  ],
  input: Schema.Struct({ ...ofCommand, ...Bodies.Complete.fields }),
  output: Answers.SessionEnded,
  run: async (input, { book }) => {
    const session = book.of(input.session_id)
    const body = fromWire(Bodies.Complete)(bodyOf(input))
    return ended(await book.command(session, () => session.complete(body, optionsOf(input)), true))
  },
})
const ended = toWire(Answers.SessionEnded)

const failTool = tool({
  name: "fail",
  title: "Give up",
  description: [
    "You can't do it: your session ends as failed, with a reason. Everybody whom you handed work to is killed, and",
    "your open offers",
    "are taken back.",
  ],
  annotations: { destructiveHint: true },
  input: Schema.Struct({ ...ofCommand, ...Bodies.Fail.fields }),
  output: Answers.SessionEnded,
  run: async (input, { book }) => {
    const session = book.of(input.session_id)
    return ended(await book.command(session, () => session.fail(input.reason, optionsOf(input)), true))
  },
})

const wait_ms = opt(
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: mcpLimits.waitMs })).annotate({
    description: "With step_id or handoff_id: milliseconds to wait until it no longer waits, or has ended. Default 0.",
  }),
)
const State = Schema.Struct({
  session: Answers.SessionView,
  step: opt(
    Schema.NullOr(Answers.SessionView.fields.steps.value).annotate({
      description: "The step that was asked for; null where it is not unresolved any more, or not yours.",
    }),
  ),
  handoff: opt(Answers.Handoff),
  workflow: opt(Answers.WorkflowView),
})

const state = tool({
  name: "state",
  title: "Look, or wait",
  description: [
    "Your session as it is now: its status, its unresolved steps with their fences, what was handed over to you. With",
    "step_id or",
    "handoff_id also that one, and with wait_ms once it no longer waits, or has ended; ask again where the time was too short.",
    "With workflow: true the whole workflow: sessions, handoffs, resources, and what is left of each budget.",
  ],
  annotations: { readOnlyHint: true, idempotentHint: true },
  input: Schema.Struct({
    session_id,
    step_id: opt(StepId),
    handoff_id: opt(HandoffId),
    workflow: opt(Schema.Boolean),
    wait_ms,
  }),
  output: State,
  run: async ({ session_id, step_id: stepId, handoff_id: handoffId, workflow, wait_ms: waitMs = 0 }, context) => {
    const { book, signal } = context
    const { client } = book
    const session = book.of(session_id)
    const { workflowId } = session
    const look = async () => ({
      view: await session.state(),
      handoff: handoffId === undefined ? undefined : await client.getHandoff(workflowId, handoffId),
    })
    const isDone = ({ view, handoff }: Awaited<ReturnType<typeof look>>): boolean =>
      (stepId === undefined || !isWaiting(stepIn(view, stepId))) && (handoff === undefined || hasEnded(handoff))
    const seen = async () => {
      const found = await look()
      return { ...found, seq: found.view.seq }
    }
    const { view, handoff } = await until({ client, workflowId, waitMs, signal }, seen, isDone)
    const whole = workflow === true ? await client.getWorkflow(workflowId) : undefined
    return stateJson({
      session: view,
      ...(stepId === undefined ? {} : { step: stepIn(view, stepId) ?? null }),
      ...(handoff === undefined ? {} : { handoff }),
      ...(whole === undefined ? {} : { workflow: { ...whole, kills: whole.fencedKills } }),
    })
  },
})
const stateJson = toWire(State)

const heartbeat = tool({
  name: "heartbeat",
  title: "Renew your claim",
  description: [
    "Renew the lease of your claim. This server does it by itself as long as you are connected, so you hardly ever need it.",
  ],
  annotations: { idempotentHint: true, destructiveHint: false },
  input: Schema.Struct({ ...ofCommand }),
  output: Answers.Beat,
  run: async (input, { book }) => {
    const session = book.of(input.session_id)
    const { claimDeadline, ...rest } = await book.command(session, () => session.heartbeat(optionsOf(input)), false)
    return beat(claimDeadline === null ? rest : { ...rest, claimDeadline })
  },
})
const beat = toWire(Answers.Beat)

const killSelf = tool({
  name: "kill_self",
  title: "Kill your own session",
  description: [
    "Stop at once and for good, because something is badly wrong: your session is killed (scope session), or with",
    "everybody below",
    "you (scope subtree, the default). Nothing that you do afterwards is accepted. To give up in order, use fail.",
  ],
  annotations: { destructiveHint: true },
  input: Schema.Struct({
    ...ofCommand,
    scope: opt(Bodies.KillSession.fields.scope),
    reason: Bodies.KillSession.fields.reason,
  }),
  output: Answers.KillReceipt,
  run: async (input, { book }) => {
    const session = book.of(input.session_id)
    const { scope = "subtree", reason } = input
    return killed(await book.command(session, () => session.kill({ scope, reason }, optionsOf(input)), true))
  },
})
const killed = toWire(Answers.KillReceipt)

export const agentTools: ReadonlyArray<AgentTool> = [
  claim,
  handoff,
  propose,
  receipt,
  complete,
  failTool,
  state,
  heartbeat,
  killSelf,
]
