/**
 * Who admits tool calls and keeps account: the workflow's control plane, or, outside of a workflow, this process alone.
 *
 * The pipeline of a model call and the governed tools speak to this and do not know which of the two it is.
 */
import type { InputOf } from "../../machines/commands.ts"
import type { Fence, ResourceRef } from "../../machines/ids.ts"
import type { Life } from "../link/Life.ts"

/** A call that the contracts allow. */
export interface AllowedCall {
  readonly tool: string
  /** A detached copy, as JSON or whatever the tool is called with; undefined for none. */
  readonly arguments: unknown
  readonly resources: ReadonlyArray<ResourceRef>
}

/** What a model call has cost. `cost` is decimal money. */
export interface Spending {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cost: number
}

export interface Proposal {
  /** Admitted together or not at all; may be empty where only `usage` is settled or `preparedId` given back. */
  readonly calls: ReadonlyArray<AllowedCall>
  readonly usage?: Spending | undefined
  readonly preparedId?: string | undefined
}

/** An admitted call. */
export interface Step {
  readonly stepId: string
  readonly tool: string
  /** Only an admitted one may run; the others wait for their turn, or for a person. */
  readonly status: "admitted" | "queued" | "awaiting_approval"
  readonly fences: ReadonlyArray<Fence>
}

/** What a session's budget has left after a reservation; null without a limit. */
export interface Reserved {
  readonly preparedId: string | undefined
  readonly remaining: { readonly cost: number | null; readonly tokens: number | null }
}

export interface Estimate {
  /** Decimal money; undefined where nobody knows the model's price. */
  readonly cost: number | undefined
  readonly tokens: number
}

export type Receipt = InputOf<"receipt">["receipts"][number]

/** A receipt that was refused. The late one of a dead session is recorded all the same. */
export interface RefusedReceipt {
  readonly error: unknown
  readonly isRecorded: boolean
}

export interface Authority {
  readonly life: Life
  /** Opens the session, once. */
  ready(): Promise<void>
  /** Reserves the estimate of a model call before money is spent. */
  reserve(estimate: Estimate): Promise<Reserved>
  /**
   * What was spent is spent: its usage is told also where the session has ended or the calls are refused, and is owed where it
   * could not be told. It may be told twice after a lost answer, never too little.
   */
  propose(proposal: Proposal): Promise<ReadonlyArray<Step>>
  /**
   * Waits until a step may run, and answers with the tokens of its admission. Rejects where it never will: with a
   * `ReplayContractError` where a person said no.
   */
  turnOf(step: Step): Promise<ReadonlyArray<Fence>>
  /** Says what became of steps, in one command; undefined where that was accepted. Never rejects. */
  receipt(receipts: ReadonlyArray<Receipt>): Promise<RefusedReceipt | undefined>
  /** Remembers what was spent while nobody could be told. */
  owe(usage: Spending): void
  /** Tells what is owed, if anything. Never rejects. */
  payUp(): Promise<void>
  /** The session ends itself, for good. */
  kill(reason: string): Promise<void>
}
