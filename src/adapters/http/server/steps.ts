/** A step by its id, and the wait for its turn or its approval: `GET …/steps/:step_id?wait=ms` (wire.md, "Routes"). */
import { Cause, Effect, Exit } from "effect"
import type { StepStatus } from "../../../machines/answers.ts"
import type { Fence, SessionId, StepId, Tenant, WorkflowId } from "../../../machines/ids.ts"
import type { EmbeddedClient } from "../../../runtime/EmbeddedClient.ts"
import { fail, fromStorage, type WorkflowError } from "../../../runtime/errors.ts"
import type { Feeds } from "../events/Feeds.ts"

export interface StepView {
  readonly stepId: StepId
  readonly sessionId: SessionId
  readonly workflowId: WorkflowId
  readonly tool: string
  readonly status: StepStatus
  readonly unknown: boolean
  readonly fences: ReadonlyArray<Fence>
  /** Epoch ms; only while it awaits approval. */
  readonly approvalDeadline?: number
  readonly seq: number
}

export interface StepQuery {
  readonly tenant: Tenant
  readonly sessionId: SessionId
  readonly stepId: StepId
  /** How long to wait for one that is queued or awaits approval; 0 answers at once. */
  readonly waitMs: number
  /** Ends the wait: the answer is what the step is then. */
  readonly signal: AbortSignal
}

interface Live {
  readonly seq: number
  readonly step: StepView | undefined
}
type Host = EmbeddedClient["host"]

/** The step, once it no longer waits or the wait for it is over. */
export const stepOf = async (host: Host, feeds: Feeds, query: StepQuery): Promise<StepView> => {
  const { tenant, sessionId, waitMs, signal } = query
  const workflowId = await settled(host.run(host.governance.locate(tenant, sessionId)))
  let step = await look(host, workflowId, query)
  if (!isWaiting(step) || waitMs === 0) return step
  const over = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
  const feed = feeds.join(tenant, workflowId, step.seq)
  try {
    while (isWaiting(step) && !over.aborted && !feed.ended) {
      await beyond(feed, step.seq, over)
      step = await look(host, workflowId, query)
    }
    return step
  } finally {
    feed.leave()
  }
}

const isWaiting = ({ status }: StepView): boolean => status === "queued" || status === "awaiting_approval"

const beyond = (feed: ReturnType<Feeds["join"]>, seq: number, over: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    let stop = (): void => {}
    const done = (): void => {
      stop()
      over.removeEventListener("abort", done)
      resolve()
    }
    over.addEventListener("abort", done)
    stop = feed.whenBeyond(seq, done)
  })

const look = async (
  host: Host,
  workflowId: WorkflowId,
  { tenant, sessionId, stepId }: StepQuery,
): Promise<StepView> => {
  const { governance, run } = host
  const live = await settled(
    run(
      governance.query(tenant, workflowId, ({ seq, steps }): Live => {
        const step = steps.get(stepId)
        if (step === undefined || step.sessionId !== sessionId) return { seq, step: undefined }
        const { tool, status, unknown, fences, deadline } = step
        const view = { stepId, sessionId, workflowId, tool, status, unknown, fences, seq }
        const awaits = status === "awaiting_approval" && deadline !== null
        return { seq, step: awaits ? { ...view, approvalDeadline: deadline } : view }
      }),
    ),
  )
  if (live.step !== undefined) return live.step
  const archive = await settled(
    run(Effect.mapError(governance.journal.lookup(tenant, workflowId, { steps: [stepId] }), fromStorage)),
  )
  const row = archive.steps.get(stepId)
  if (row === undefined || row.sessionId !== sessionId)
    throw fail("step_not_found", `Session ${sessionId} has no step ${stepId}.`, { stepId })
  return {
    stepId,
    sessionId,
    workflowId,
    tool: row.tool,
    status: row.status,
    unknown: false,
    fences: [],
    seq: live.seq,
  }
}

export const settled = async <A>(exit: Promise<Exit.Exit<A, WorkflowError | unknown>>): Promise<A> => {
  const done = await exit
  if (Exit.isSuccess(done)) return done.value
  throw Cause.squash(done.cause)
}
