/**
 * Projections: the rows that follow from events, kept beside the journal in the same transaction.
 *
 * They serve two readers: listings across workflows, and the actor itself, which keeps only what is open in memory and reads
 * back what has ended (`Archive`). `evolve` says which rows change; a store only writes them down. What has ended never
 * changes again, so a row that was read back stays true.
 */
import type { HandoffStatus, KillReceipt, StepStatus } from "./answers.ts"
import type { Artifact, HandoffId, Json, KillId, Micros, ResourceRef, SessionId, StepId, WorkflowId } from "./ids.ts"

export type WorkflowStatus = "active" | "completed" | "failed" | "killed"
export type SessionStatus = "active" | "completed" | "failed" | "killed"

export interface WorkflowRow {
  readonly workflowId: WorkflowId
  /** The `workflow` name of the definition. */
  readonly workflow: string
  readonly definitionHash: string
  readonly rootSessionId: SessionId
  readonly rootRole: string
  readonly status: WorkflowStatus
  readonly createdAt: number
  readonly endedAt: number | null
}

export interface SessionRow {
  readonly sessionId: SessionId
  readonly workflowId: WorkflowId
  readonly role: string
  readonly agent: string
  readonly parentSessionId: SessionId | null
  readonly handoffId: HandoffId | null
  /** The handoff's generation that the session claimed; 0 for a root. */
  readonly generation: number
  readonly depth: number
  readonly status: SessionStatus
  /** As of its creation (1) or its end; the live value is in the actor. */
  readonly version: number
  readonly createdAt: number
  /** The event that created it. */
  readonly createdSeq: number
  readonly endedAt: number | null
  readonly killId: KillId | null
  readonly reason: string | null
}

export interface HandoffRow {
  readonly handoffId: HandoffId
  readonly workflowId: WorkflowId
  readonly fromSessionId: SessionId
  readonly fromRole: string
  readonly toRole: string
  readonly status: HandoffStatus
  readonly generation: number
  /** The claimant of the current generation. */
  readonly sessionId: SessionId | null
  readonly offeredAt: number
  readonly offeredSeq: number
  readonly updatedAt: number
  /** Epoch ms of the offer's or the claim's lease. */
  readonly deadline: number | null
  readonly summary: Json
  readonly artifacts: ReadonlyArray<Artifact>
  readonly resources: ReadonlyArray<ResourceRef>
  readonly result: Json
  readonly resultArtifacts: ReadonlyArray<Artifact>
  readonly reason: string | null
}

export interface StepRow {
  readonly stepId: StepId
  readonly sessionId: SessionId
  readonly tool: string
  readonly status: Extract<StepStatus, "committed" | "aborted" | "late">
  readonly outcome: "committed" | "aborted"
  readonly cost: Micros
  readonly tokens: number
  readonly resolvedAt: number
}

export interface ResourceRow extends ResourceRef {
  readonly fence: number
  readonly version: number
}

/** The remembered answer of a command with an idempotency key. */
export interface AnswerRow {
  readonly key: string
  /** sha256 of the command: another command under the same key is `idempotency_mismatch`. */
  readonly fingerprint: string
  /** The whole answer; null where only the usage of a refused proposal was settled under this key. */
  readonly answer: Json
}

/** One change of one projection, in the order of the events that caused it. */
export type Projection =
  | { readonly _tag: "workflowCreated"; readonly row: WorkflowRow }
  | { readonly _tag: "workflowEnded"; readonly status: WorkflowStatus; readonly at: number }
  | { readonly _tag: "sessionCreated"; readonly row: SessionRow }
  | {
      readonly _tag: "sessionEnded"
      readonly sessionId: SessionId
      readonly status: SessionStatus
      readonly version: number
      readonly at: number
      readonly killId: KillId | null
      readonly reason: string | null
    }
  /** A cascade: every session in `sessions` ended as killed by this kill, `versions` are theirs at the end. */
  | {
      readonly _tag: "sessionsKilled"
      readonly sessions: ReadonlyArray<SessionId>
      readonly versions: ReadonlyArray<number>
      readonly at: number
      readonly killId: KillId
      readonly reason: string
    }
  | { readonly _tag: "handoffOffered"; readonly row: HandoffRow }
  | {
      readonly _tag: "handoffChanged"
      readonly handoffId: HandoffId
      readonly status: HandoffStatus
      readonly generation: number
      readonly sessionId: SessionId | null
      readonly deadline: number | null
      readonly at: number
      readonly reason: string | null
    }
  | {
      readonly _tag: "handoffCompleted"
      readonly handoffId: HandoffId
      readonly at: number
      readonly result: Json
      readonly artifacts: ReadonlyArray<Artifact>
    }
  | {
      readonly _tag: "handoffsKilled"
      readonly handoffs: ReadonlyArray<HandoffId>
      readonly at: number
      readonly reason: string
    }
  | { readonly _tag: "stepResolved"; readonly row: StepRow }
  | { readonly _tag: "killIssued"; readonly receipt: KillReceipt }
  | { readonly _tag: "killQuiescent"; readonly killId: KillId }
  | { readonly _tag: "resourceIdled"; readonly row: ResourceRow }
  | { readonly _tag: "answered"; readonly row: AnswerRow }
  /** The earliest moment at which a deadline of the workflow may be due; null when it has none. Never too late. */
  | { readonly _tag: "wakeAt"; readonly at: number | null }

/** What has ended, read back because a command names it. Absent members do not exist in the store. */
export interface Archive {
  readonly sessions: ReadonlyMap<string, SessionRow>
  readonly handoffs: ReadonlyMap<string, HandoffRow>
  readonly steps: ReadonlyMap<string, StepRow>
  readonly kills: ReadonlyMap<string, KillReceipt>
  /** By `resourceKey`. */
  readonly resources: ReadonlyMap<string, ResourceRow>
  readonly answers: ReadonlyMap<string, AnswerRow>
}

/** What to read back. Every list is bounded by the command that names it. */
export interface ArchiveRefs {
  readonly sessions?: ReadonlyArray<string>
  readonly handoffs?: ReadonlyArray<string>
  readonly steps?: ReadonlyArray<string>
  readonly kills?: ReadonlyArray<string>
  readonly resources?: ReadonlyArray<ResourceRef>
  readonly answers?: ReadonlyArray<string>
}

export const emptyArchive: Archive = {
  sessions: new Map(),
  handoffs: new Map(),
  steps: new Map(),
  kills: new Map(),
  resources: new Map(),
  answers: new Map(),
}

/** What was read at first and what was read then. */
export const mergeArchives = (before: Archive | undefined, after: Archive): Archive => {
  if (before === undefined) return after
  const both = <V>(a: ReadonlyMap<string, V>, b: ReadonlyMap<string, V>) => new Map([...a, ...b])
  return {
    sessions: both(before.sessions, after.sessions),
    handoffs: both(before.handoffs, after.handoffs),
    steps: both(before.steps, after.steps),
    kills: both(before.kills, after.kills),
    resources: both(before.resources, after.resources),
    answers: both(before.answers, after.answers),
  }
}
