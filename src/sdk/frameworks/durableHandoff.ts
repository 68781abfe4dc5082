/**
 * A handoff that an agent's model makes by a tool: offered in the workflow, worked on here or elsewhere, and told to the model
 * when it has ended. It outlives the process that offered it, as every handoff of a workflow does.
 */
import type { InputOf } from "../../machines/commands.ts"
import type { HandoffOutcome } from "../link/handoffs.ts"
import type { ChildWorkflow } from "../options.ts"
import type { ReplaySession } from "../ReplaySession.ts"
import { asData } from "./data.ts"
import { joined } from "./signals.ts"
import { stepOf } from "./step.ts"

/** How long a tool waits for the end of its handoff, unless it says so. */
const handoffMs = 10 * 60_000
/** Characters of an error that become the reason of a handoff that failed. */
const reasonChars = 1000

interface Opening {
  ready(): Promise<unknown>
}

/** A session that offers: any of `replay` in a workflow. */
export interface OfferingSession
  extends Opening,
    Pick<ReplaySession, "handoff" | "awaitHandoff" | "withdraw" | "sessionId" | "workflowId"> {}

/** A session that claims: any of `replay` that is given the workflow which it is made for. */
export interface ClaimingSession extends Opening, Pick<ReplaySession, "complete" | "fail" | "close" | "signal"> {}

type Offer = InputOf<"offer">

export interface HandoffHere<S extends ClaimingSession> {
  /** Makes the session that claims: `replay(client, { …, workflow })`. It is closed when the work is done. */
  readonly session: (workflow: ChildWorkflow) => S
  /**
   * Does the work, as an agent in that session. What it returns is the handoff's result, as JSON; what it throws fails it.
   * `signal` aborts when the session is killed, and when nobody waits for the work any more.
   */
  readonly run: (session: S, signal: AbortSignal) => Promise<unknown>
}

export interface DurableHandoffOptions<S extends ClaimingSession = ClaimingSession> {
  readonly toRole: string
  /** What is offered for an input of the tool. By default the input is the summary, and the handoff has the id of the step. */
  readonly offer?: (input: unknown) => Pick<Partial<Offer>, "handoffId" | "summary" | "artifacts" | "resources">
  /** How long the tool waits for the end. Default: 10 minutes. */
  readonly timeoutMs?: number
  /** Where the other agent runs in this process. Left out, the handoff is claimed by whoever has the role. */
  readonly here?: HandoffHere<S>
}

/** What the model is told. */
export interface HandoffAnswer {
  readonly handoffId: string
  /** `open`: it was claimed and has not ended, and the tool waits no longer. Work in this process is told to stop. */
  readonly status: HandoffOutcome["status"] | "open"
  readonly result: unknown
  readonly reason: string | null
}

/**
 * A function for a governed tool: `input`, and the options that the tool was called with. An offer that nobody has claimed in
 * time is taken back; so is one whose tool is aborted.
 */
export const durableHandoff =
  <S extends ClaimingSession>(session: OfferingSession, options: DurableHandoffOptions<S>) =>
  async (input: unknown, called: object | undefined): Promise<HandoffAnswer> => {
    const { toRole, offer, here, timeoutMs = handoffMs } = options
    const { signal, stepId } = stepOf(called)
    await session.ready()
    const ticket = await session.handoff({ summary: asData(input), handoffId: stepId, ...offer?.(input), toRole })
    const { handoffId } = ticket
    const { workflowId, sessionId: parentSessionId } = session
    const waiting = joined([signal])
    const work =
      here === undefined
        ? undefined
        : worked(here, { type: "child", workflowId, role: toRole, parentSessionId, handoffId }, waiting.signal)
    // What keeps the work from being claimed at all ends the waiting too.
    work?.catch((error: unknown) => waiting.stop(error))
    try {
      const { status, result, reason } = await session.awaitHandoff(ticket, { signal: waiting.signal, timeoutMs })
      await Promise.race([work, waiting.aborted])
      return { handoffId, status, result, reason }
    } catch (error) {
      const isTime = error instanceof DOMException && error.name === "TimeoutError" && !waiting.signal.aborted
      const isBack = await session.withdraw(ticket).then(
        () => true,
        () => false,
      )
      if (!isTime) throw error
      const reason = `It did not end within ${timeoutMs} ms.`
      return { handoffId, status: isBack ? "withdrawn" : "open", result: null, reason }
    } finally {
      waiting.stop(new DOMException("Nobody waits for this work any more.", "AbortError"))
      waiting.release()
    }
  }

/** Claims, works, and ends the handoff. Rejects where it could not be claimed. */
const worked = async <S extends ClaimingSession>(
  { session: open, run }: HandoffHere<S>,
  workflow: ChildWorkflow,
  waiting: AbortSignal,
): Promise<void> => {
  const session = open(workflow)
  try {
    await session.ready()
    const { signal, release } = joined([waiting, session.signal])
    try {
      await session.complete(asData(await run(session, signal)))
    } catch (error) {
      // Also where the end was refused. A dead session has nothing to end, and its handoff's lease does what we can't.
      await session.fail(reasonOf(error)).catch(() => {})
    } finally {
      release()
    }
  } finally {
    await session.close()
  }
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, reasonChars)
