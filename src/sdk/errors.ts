/**
 * The errors of an agent's session. Each has one meaning; whatever else is refused is a `WorkflowError` with its `code`.
 *
 * - `ReplayConfigError`: the program is wrong, not the workflow: an option, a path, a contract that does not compile.
 * - `ReplayContractError`: a contract blocked one call. Nothing was proposed and nothing ran.
 * - `ReplayKillError`: the session is dead. Final: no call of it will ever succeed again.
 * - `ToolTimeoutError`: a tool ran longer than its contract's `timeouts.total_ms`.
 * - `ToolAborted`: thrown *by* a tool, to say that its call certainly had no effect.
 */
import type { Diagnostic } from "../definition/index.ts"
import type { ContractFailureCode as ContractRuleCode } from "../machines/contracts/index.ts"

export { WorkflowError } from "../runtime/errors.ts"

/** Nothing was done. `option` names the option to mend; `diagnostics` are there where a definition does not compile. */
export class ReplayConfigError extends Error {
  override readonly name = "ReplayConfigError"
  readonly option: string
  readonly diagnostics: ReadonlyArray<Diagnostic>

  constructor(option: string, message: string, diagnostics: ReadonlyArray<Diagnostic> = []) {
    super(message)
    this.option = option
    this.diagnostics = diagnostics
  }
}

/**
 * Those of the contracts, and:
 * - `narrowed`, `policy_blocked`: the agent's own `narrow` or `policy` does not allow the tool.
 * - `invalid_arguments`: the arguments are not data that can be copied, or the model wrote no JSON.
 * - `invalid_resource_key`: the contract takes the key of a resource from the arguments, and there is no id there.
 * - `price_unknown`: a cost is limited, and `prices` does not say what the model costs.
 * - `approval_rejected`: a person, or nobody in time, approved a call whose contract has a checkpoint.
 * - `ungoverned_endpoint`: the client's endpoint can make tool calls past the contracts.
 */
export type ContractFailureCode =
  | ContractRuleCode
  | "narrowed"
  | "policy_blocked"
  | "invalid_arguments"
  | "invalid_resource_key"
  | "price_unknown"
  | "approval_rejected"
  | "ungoverned_endpoint"

export interface ContractFailure {
  /** The tool; of a model call that was blocked as a whole, the model. */
  readonly tool: string
  /** The path of the value or rule that failed; null where it is the call as a whole. */
  readonly path: string | null
  /** The rule that was applied, such as `gate`, `lte`, `max_tool_calls`; null where none was found. */
  readonly operator: string | null
  readonly code: ContractFailureCode
  /** What was wrong and how to mend it. */
  readonly detail: string
}

export type ContractFailures = readonly [ContractFailure, ...ReadonlyArray<ContractFailure>]

export class ReplayContractError extends Error {
  override readonly name = "ReplayContractError"
  readonly failures: ContractFailures

  constructor(failures: ContractFailures) {
    super(failureText(failures))
    this.failures = failures
  }
}

/** The failures of a call or an answer, as a person or a model reads them. */
export const failureText = (failures: ReadonlyArray<ContractFailure>): string =>
  failures.map(({ tool, code, detail }) => `${tool} was blocked (${code}): ${detail}`).join(" ")

export interface Kill {
  /** Null outside of a workflow. */
  readonly workflowId: string | null
  /** Null where the workflow was killed before the session was opened. */
  readonly sessionId: string | null
  /** The kill that ended it; null where the refusal did not name it. */
  readonly killId: string | null
  readonly reason: string | null
}

export class ReplayKillError extends Error implements Kill {
  override readonly name = "ReplayKillError"
  readonly workflowId: string | null
  readonly sessionId: string | null
  readonly killId: string | null
  readonly reason: string | null

  constructor(kill: Kill, cause?: unknown) {
    const { workflowId, sessionId, killId, reason } = kill
    const what =
      sessionId !== null ? `Session ${sessionId}` : workflowId !== null ? `Workflow ${workflowId}` : "The session"
    super(
      `${what} was killed${reason === null ? "" : `: ${reason}`}. This is final.`,
      cause === undefined ? undefined : { cause },
    )
    this.workflowId = workflowId
    this.sessionId = sessionId
    this.killId = killId
    this.reason = reason
  }
}

/** `outcomeOf` tells what became of the step. `cause` is what the tool threw, where it ended at all. */
export class ToolTimeoutError extends Error {
  override readonly name = "ToolTimeoutError"
  readonly tool: string
  readonly totalMs: number

  constructor(tool: string, totalMs: number, detail: string, cause?: unknown) {
    super(`${tool} ran longer than its ${totalMs} ms. ${detail}`, cause === undefined ? undefined : { cause })
    this.tool = tool
    this.totalMs = totalMs
  }
}

/** A tool throws it when the call certainly had no effect: the step is aborted whatever its `evidence_class`. */
export class ToolAborted extends Error {
  override readonly name = "ToolAborted"
}
