/** What every event handler gets beside the state: when and where in the journal its event is, and who wants the rows. */
import type { Actor } from "../events.ts"
import type { Projection } from "../projection.ts"
import type { Session } from "../state.ts"

export interface EventContext {
  readonly seq: number
  /** Epoch ms. */
  readonly at: number
  readonly actor: Actor
  /** Receives the rows that change; absent while a stored journal is folded again. */
  readonly rows?: Array<Projection> | undefined
}

/** Raises the version of a session that the event changes, once an event. */
export const touch = (session: Session, context: EventContext): void => {
  if (session.versionSeq === context.seq) return
  session.versionSeq = context.seq
  session.version += 1
}
