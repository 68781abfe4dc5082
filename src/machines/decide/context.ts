/** What a decision is made of: the facts that come in, and the events with an answer or a refusal that come out. */
import type { EventBody } from "../events.ts"
import type { HandoffId, KillId, PreparedRequestId, SessionId, StepId } from "../ids.ts"
import type { Archive } from "../projection.ts"
import { type Code, type Refusal, type Facts as RefusalFacts, refuse } from "../refusals.ts"
import type { Session, State } from "../state.ts"

/** The ids that a decision may need to make, by kind. */
export interface NewIds {
  readonly session: SessionId
  readonly handoff: HandoffId
  readonly step: StepId
  readonly kill: KillId
  readonly prepared: PreparedRequestId
}
export type IdKind = keyof NewIds

/** Time, ids and what was read back: everything that a decision needs beside the state and the command. */
export interface Facts {
  /** Epoch ms. */
  readonly now: number
  /** Who asks: a session id, `operator:<name>` or `system`. */
  readonly actor: string
  /** A new id, never used before anywhere. */
  readonly id: <K extends IdKind>(kind: K) => NewIds[K]
  /** What has ended and is named by the command (`needs`); empty where nothing had to be read back. */
  readonly archive: Archive
  /** The usage under this command's idempotency key was settled before, by a try that was refused. */
  readonly usageSettled?: boolean
}

/**
 * Events to append, and what to tell the caller once they are durable. A refusal usually has no events; a refused proposal
 * still settles what its model turn has spent, and a late receipt is recorded although its sender is refused.
 */
export type Decision<A> =
  | { readonly _tag: "accepted"; readonly events: ReadonlyArray<EventBody>; readonly answer: A }
  | { readonly _tag: "refused"; readonly events: ReadonlyArray<EventBody>; readonly refusal: Refusal }

export const accept = <A>(events: ReadonlyArray<EventBody>, answer: A): Decision<A> => ({
  _tag: "accepted",
  events,
  answer,
})

export const refused = (refusal: Refusal, events: ReadonlyArray<EventBody> = []): Decision<never> => ({
  _tag: "refused",
  events,
  refusal,
})

export const no = (code: Code, detail: string, facts?: RefusalFacts): Decision<never> =>
  refused(refuse(code, detail, facts))

/** The session's version after an event that touches it. */
export const nextVersion = (session: Session): number => session.version + 1

/** The workflow's sequence after one event. */
export const nextSeq = (state: State): number => state.seq + 1

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === "object" && value !== null && "code" in value && "detail" in value
