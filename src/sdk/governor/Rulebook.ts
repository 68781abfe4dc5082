/**
 * What a session may call now: its contracts, the caller's own rules, and what has happened so far.
 *
 * It is the only holder of the contracts' state in this process. What happens elsewhere (an operator resolves a step, an earlier
 * process ran some) comes in as journal events through `follow`.
 */
import {
  type ContractRules,
  type ContractState,
  evolve,
  initialContractState,
  type JudgeOptions,
  judge,
  narrow,
  type Trip,
  tripped,
} from "../../machines/contracts/index.ts"
import type { EventBody, EventOf } from "../../machines/events.ts"
import type { Micros } from "../../machines/ids.ts"
import type { ContractFailure } from "../errors.ts"

export interface PolicyContext {
  readonly agent: string
  /** Null outside of a workflow, as `workflowId` is. */
  readonly role: string | null
  readonly workflowId: string | null
  readonly principal: string | null
  readonly environment: string | null
  /** Null without phases. */
  readonly phase: string | null
}

/** The caller's own rule for a tool: true allows it, false or a reason blocks it. */
export type Policy = (tool: string, context: PolicyContext) => boolean | string

export interface RulebookOptions {
  readonly judging: JudgeOptions
  readonly policy: Policy | undefined
  readonly context: Omit<PolicyContext, "phase">
}

export interface JudgedCall {
  readonly tool: string
  readonly arguments: unknown
  /** Why the contracts need not even look at it. */
  readonly flaw: ContractFailure | undefined
}

/** No failures: the call is allowed. */
export type Failures = ReadonlyArray<ContractFailure>

/** How a step ended, as the rules see it. */
export type StepEnd =
  | { readonly outcome: "committed"; readonly evidence: unknown; readonly actualCost: Micros | undefined }
  | { readonly outcome: "aborted" | "unknown"; readonly threw: boolean }

export class Rulebook {
  readonly #rules: ContractRules
  readonly #options: RulebookOptions
  #state: ContractState
  /** The only tools that may be called, where the agent has narrowed them by hand. */
  #only: ReadonlySet<string> | undefined
  /** Steps that this process runs and reports itself, with what the journal told of them meanwhile. */
  readonly #own = new Map<string, StepEnd | undefined>()

  constructor(rules: ContractRules, options: RulebookOptions) {
    this.#rules = rules
    this.#options = options
    this.#state = initialContractState(rules)
  }

  get phase(): string | null {
    return this.#state.phase
  }

  /** False where no verdict depends on what happened before. */
  get isStateful(): boolean {
    return !this.#rules.isStateless
  }

  get trip(): Trip | undefined {
    return tripped(this.#state)
  }

  /** Micro-units that the session may still spend on models; undefined without a limit. */
  get costLeft(): Micros | undefined {
    const { maxCost } = this.#rules.limits
    if (maxCost === null) return undefined
    const reserved = this.#state.unresolved.reduce((sum, step) => sum + step.estimate, 0)
    return maxCost - this.#state.cost - reserved
  }

  /** Only these from now on; undefined lifts it. */
  restrict(tools: ReadonlyArray<string> | undefined): void {
    this.#only = tools === undefined ? undefined : new Set(tools)
  }

  /** The tools that may not be called now, whatever the arguments, and why. */
  narrow(tools: ReadonlyArray<string>): ReadonlyMap<string, Failures> {
    const removed = new Map<string, Failures>()
    const left: Array<string> = []
    for (const tool of new Set(tools)) {
      const failure = this.#ownRules(tool)
      if (failure === undefined) left.push(tool)
      else removed.set(tool, [failure])
    }
    for (const [tool, failures] of narrow(this.#rules, this.#state, left, this.#options.judging))
      removed.set(tool, failures)
    return removed
  }

  /** The failures of each call of one answer, in its order. Nothing is remembered of it but that it was asked. */
  judge(calls: ReadonlyArray<JudgedCall>): ReadonlyArray<Failures> {
    const own = calls.map(({ tool, flaw }) => flaw ?? this.#ownRules(tool))
    const verdicts = judge(
      this.#rules,
      this.#state,
      calls.filter((_, index) => own[index] === undefined),
      this.#options.judging,
    )[Symbol.iterator]()
    const failures: Array<Failures> = []
    const judged = calls.map(({ tool }, index) => {
      const failure = own[index]
      const { value: verdict } = failure === undefined ? verdicts.next() : { value: undefined }
      failures.push(failure !== undefined ? [failure] : verdict?.allowed === false ? verdict.failures : [])
      // What the contracts did not judge counts as blocked, and is like no call that they did.
      return verdict ?? { allowed: false, fingerprint: `unjudged ${tool}` }
    })
    if (this.isStateful) this.#evolve({ type: "judged", calls: judged })
    return failures
  }

  /** Whether arguments pass the rules that look into them. Nothing is remembered. */
  allowsArguments(tool: string, args: unknown): boolean {
    const [verdict] = judge(this.#rules, this.#state, [{ tool, arguments: args }], this.#options.judging)
    const isAllowed = verdict === undefined || verdict.allowed
    return isAllowed || verdict.failures.every(({ code }) => code !== "invariant_failed")
  }

  /** A call became a step that this process will report. */
  admitted(stepId: string, tool: string): void {
    if (!this.isStateful) return
    this.#own.set(stepId, undefined)
    this.#evolve({ type: "admitted", stepId, tool })
  }

  /** This process is done with a step: `end` is what was accepted of its report, undefined where nothing was. */
  reported(stepId: string, end: StepEnd | undefined): void {
    const heard = this.#own.get(stepId)
    this.#own.delete(stepId)
    const counts = end ?? heard
    if (counts !== undefined) this.#ended(stepId, counts)
  }

  /** Money that a model call has cost. */
  spent(cost: Micros): void {
    if (cost > 0 && this.isStateful) this.#evolve({ type: "usage", cost })
  }

  /** Something that the session did before this process. */
  remember(body: EventBody, sessionId: string): void {
    if (body._tag === "usage.settled" && body.sessionId === sessionId) this.spent(body.usage.cost)
    if (body._tag === "steps.proposed" && body.sessionId === sessionId) {
      if (body.usage !== undefined) this.spent(body.usage.cost)
      for (const { stepId, tool, cost } of body.steps)
        this.#evolve({ type: "admitted", stepId, tool, estimatedCost: cost })
    }
    this.follow(body, sessionId)
  }

  /** Something that somebody else did about the session's steps. */
  follow(body: EventBody, sessionId: string): void {
    if (body._tag !== "steps.resolved" || body.sessionId !== sessionId || !this.isStateful) return
    for (const step of body.steps) {
      const end = endOf(step)
      if (this.#own.has(step.stepId)) this.#own.set(step.stepId, end)
      else this.#ended(step.stepId, end)
    }
  }

  #ended(stepId: string, end: StepEnd): void {
    if (!this.isStateful) return
    const { outcome } = end
    if (outcome === "committed")
      this.#evolve({ type: "committed", stepId, output: end.evidence, actualCost: end.actualCost })
    else this.#evolve({ type: outcome, stepId, threw: end.threw })
  }

  #evolve(event: Parameters<typeof evolve>[2]): void {
    this.#state = evolve(this.#rules, this.#state, event)
  }

  #ownRules(tool: string): ContractFailure | undefined {
    if (this.#only !== undefined && !this.#only.has(tool))
      return {
        tool,
        path: null,
        operator: "narrow",
        code: "narrowed",
        detail: "The agent has narrowed its tools by hand, and this one is not among them.",
      }
    const { policy, context } = this.#options
    if (policy === undefined) return undefined
    const answer = asked(() => policy(tool, { ...context, phase: this.phase }))
    if (answer === true) return undefined
    const detail = typeof answer === "string" ? answer : "The agent's policy does not allow it."
    return { tool, path: null, operator: "policy", code: "policy_blocked", detail }
  }
}

/** A policy that fails allows nothing, and keeps nobody from settling what was spent. */
const asked = (policy: () => boolean | string): boolean | string => {
  try {
    return policy()
  } catch (error) {
    return `The agent's policy failed: ${error instanceof Error ? error.message : String(error)}`
  }
}

const endOf = ({ outcome, cost, evidence }: EventOf<"steps.resolved">["steps"][number]): StepEnd =>
  outcome === "committed" ? { outcome, evidence, actualCost: cost } : { outcome, threw: outcome === "unknown" }
