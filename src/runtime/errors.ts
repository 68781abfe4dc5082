/**
 * `WorkflowError`: the one error with which everything of the runtime fails.
 *
 * Its `code` says what it means, `facts` explain it, `retryable` says whether the same request may succeed later unchanged, and
 * `detail` how to mend it. A bug is a defect and never becomes one of these.
 */
import { Schema } from "effect"
import { Code, codes, type Facts, type Refusal } from "../machines/refusals.ts"
import type { StorageError } from "./Journal.ts"

export class WorkflowError extends Schema.TaggedError<WorkflowError>()("WorkflowError", {
  code: Code,
  detail: Schema.String,
  facts: Schema.Record(Schema.String, Schema.Unknown),
}) {
  override get message(): string {
    return `${this.code}: ${this.detail}`
  }
  /** True only where the same request may succeed later unchanged. */
  get retryable(): boolean {
    return codes[this.code].retryable
  }
  /** The HTTP status of wire.md. */
  get status(): number {
    return codes[this.code].status
  }
}

export const fail = (code: Code, detail: string, facts: Facts = {}): WorkflowError =>
  new WorkflowError({ code, detail, facts })

export const fromRefusal = (refusal: Refusal): WorkflowError => new WorkflowError(refusal)

/**
 * Trouble with the store, the runtime or the way there, and none of the workflow's rules: the same command may be sent
 * again as it is. A refusal by the rules is an answer, also where it may be different later.
 */
export const isInfrastructure = (error: unknown): error is WorkflowError =>
  error instanceof WorkflowError && error.retryable && error.status !== 409

/** The workflow's rules said no: an answer, and no trouble on the way to it. */
export const isRefusal = (error: unknown): error is WorkflowError =>
  error instanceof WorkflowError && !isInfrastructure(error)

/** Reasons after which the store may have committed what it could no longer confirm. */
export const mayBeWritten: ReadonlySet<string> = new Set(["connection", "timeout", "crashed", "io", "defect"])

export const fromStorage = (error: StorageError): WorkflowError =>
  error._tag === "StorageUnavailable"
    ? fail(
        "storage_unavailable",
        `${error.detail} ${
          mayBeWritten.has(error.reason)
            ? "The command may have been written all the same; send it again under its idempotency key."
            : "Nothing of the command was written; try again."
        }`,
        { reason: error.reason },
      )
    : fail("storage_corrupt", error.detail, {
        ...(error.workflowId === undefined ? {} : { workflowId: error.workflowId }),
        ...(error.seq === undefined ? {} : { seq: error.seq }),
      })

export const closedError = (): WorkflowError => fail("closed", "The runtime is closed. Open it again.")
