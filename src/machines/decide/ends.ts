/** When a workflow ends because of what happens to its sessions (semantics.md §2). */
import type { SessionId } from "../ids.ts"
import type { Session, State } from "../state.ts"

/**
 * `killed` where `ending` are the last active sessions and the root is killed, before or by this very event. A root that
 * completes or fails says so itself.
 */
export const endsWithLastSession = (
  state: State,
  ending: ReadonlyArray<Session>,
  rootDies = ending.some((session) => session.sessionId === state.rootSessionId),
): "killed" | undefined =>
  state.status === "active" && (rootDies || state.rootKillId !== null) && ending.length === state.account.activeSessions
    ? "killed"
    : undefined

export const isRoot = (state: State, sessionId: SessionId): boolean => sessionId === state.rootSessionId
