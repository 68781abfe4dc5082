/**
 * `Client`: the one interface through which everybody acts on workflows.
 *
 * Embedded, over HTTP or in a cluster: the same methods, the same answers, the same errors (`WorkflowError`, by `code`). Inputs
 * are the encoded commands of `machines/commands.ts`, with decimal money; answers are plain JSON.
 */
import type { Answers, KillReceipt, SessionView } from "../machines/answers.ts"
import type { InputOf } from "../machines/commands.ts"
import type { JournalEvent } from "../machines/events.ts"
import type { HandoffRow, SessionRow, WorkflowRow, WorkflowStatus } from "../machines/projection.ts"
import type { HandoffSummary, OpenView, SessionSummary } from "../machines/views.ts"
import type { Page } from "./Journal.ts"
import type { Session } from "./Session.ts"

export interface CallOptions {
  /** A repeated call with the same key changes nothing and gets the first answer again (I8). 1 to 255 characters. */
  readonly idempotencyKey?: string
  /** The operator who acts, for the journal. Default: the session, or `operator:anonymous`. */
  readonly operator?: string
  /** Saves a look-up where the caller knows in which workflow the session is. */
  readonly workflowId?: string
}

/** workflow.yaml as text, with the contracts that it names by path, or an artifact that was compiled before. */
export type DefinitionInput =
  | string
  | {
      readonly workflowYaml: string
      /** Paths relative to workflow.yaml. */
      readonly files?: Readonly<Record<string, string>>
      /** How workflow.yaml is called in diagnostics. */
      readonly file?: string
    }
  | { readonly hash: string; readonly definition: unknown }

export interface CreateRootInput extends Omit<InputOf<"createRoot">, "definitionHash"> {
  readonly definition: DefinitionInput
}

/** A whole workflow: everything open, and of what has ended the latest 1,000 sessions and handoffs. */
export interface WorkflowView extends Omit<OpenView, "sessions" | "handoffs"> {
  readonly sessions: ReadonlyArray<SessionSummary>
  readonly handoffs: ReadonlyArray<HandoffSummary>
}

export interface ListWorkflows {
  readonly status?: WorkflowStatus
  /** Workflows with a session in this role. */
  readonly role?: string
  readonly cursor?: string
  /** 1 to 1,000; default 100. */
  readonly limit?: number
}
export interface ListMembers {
  readonly workflowId: string
  /** Only what is open (true) or has ended (false). */
  readonly open?: boolean
  readonly cursor?: string
  readonly limit?: number
}

export interface EventsInput {
  readonly workflowId: string
  /** The last sequence that was handled; 0 starts at the beginning. */
  readonly after?: number
  /** Ends the stream, also while it waits for the next event. */
  readonly signal?: AbortSignal
}

type Call<K extends keyof Answers & Parameters<CommandMap>[0]> = (
  input: InputOf<K>,
  options?: CallOptions,
) => Promise<Answers[K]>
type CommandMap = (name: Exclude<keyof Answers, "tick" | "createRoot" | "claim" | "attach">) => void

export interface Client {
  /** Creates a workflow with its root session. */
  createRoot(input: CreateRootInput, options?: CallOptions): Promise<Session>
  /** Claims an offered handoff: a new child session, or a refusal that says who was faster. */
  claim(input: InputOf<"claim">, options?: CallOptions): Promise<Session>
  /** Resumes an active session after its process restarted. */
  attach(input: InputOf<"attach">, options?: CallOptions): Promise<Session>
  readonly offer: Call<"offer">
  readonly preflight: Call<"preflight">
  readonly propose: Call<"propose">
  readonly receipt: Call<"receipt">
  readonly heartbeat: Call<"heartbeat">
  readonly release: Call<"release">
  readonly complete: Call<"complete">
  readonly fail: Call<"fail">
  readonly completeHandoff: Call<"completeHandoff">
  readonly failHandoff: Call<"failHandoff">
  readonly reclaim: Call<"reclaim">
  readonly withdraw: Call<"withdraw">
  readonly kill: Call<"kill">
  readonly resolveStep: Call<"resolveStep">
  /** An operator lets a step that awaits approval be admitted; `getWorkflow` lists those that do. */
  readonly approveStep: Call<"approveStep">
  /** An operator aborts a step that awaits approval. */
  readonly rejectStep: Call<"rejectStep">
  readonly raiseLimits: Call<"raiseLimits">
  getWorkflow(workflowId: string): Promise<WorkflowView>
  getSession(sessionId: string, options?: Pick<CallOptions, "workflowId">): Promise<SessionView>
  getHandoff(workflowId: string, handoffId: string): Promise<HandoffRow>
  getKill(workflowId: string, killId: string): Promise<KillReceipt>
  listWorkflows(query?: ListWorkflows): Promise<Page<WorkflowRow>>
  listSessions(query: ListMembers): Promise<Page<SessionRow>>
  listHandoffs(query: ListMembers): Promise<Page<HandoffRow>>
  /** Events as they become durable, from `after` on; ends when the loop breaks or the client closes. */
  events(input: EventsInput): AsyncIterable<JournalEvent>
  close(): Promise<void>
}
