/**
 * Admission: the calls of one turn against the contracts, then against the authority, all together or not at all.
 *
 * One turn of a session is judged after another, so that what is judged is also what is admitted. What a turn has cost is
 * settled whatever becomes of its calls.
 */
import { boundResources } from "../../machines/bindings.ts"
import { jsonEquals } from "../../machines/contracts/jsonEquals.ts"
import type { ToolContract } from "../../machines/definition.ts"
import { toMicros } from "../../machines/ids.ts"
import { isInfrastructure, isRefusal } from "../../runtime/errors.ts"
import { type ContractFailure, ReplayContractError, ReplayKillError } from "../errors.ts"
import type { Gate, Mode } from "../options.ts"
import type { AllowedCall, Authority, Spending, Step } from "./Authority.ts"
import type { DecidedCall, Decision, ShadowDelta } from "./Decision.ts"
import type { DecisionLog } from "./DecisionLog.ts"
import type { Guard } from "./Guard.ts"
import type { Failures, Rulebook } from "./Rulebook.ts"
import { Serial } from "./Serial.ts"
import type { ModelUsage } from "./Turn.ts"

export interface AskedCall {
  /** Null for a tool that the agent calls itself. */
  readonly callId: string | null
  readonly tool: string
  readonly input: unknown
  /** Why its arguments can't be judged at all. */
  readonly flaw?: ContractFailure | undefined
  /** Its step, where an earlier process of the session had it admitted: it is neither judged nor proposed again. */
  readonly resumed?: AdmittedStep | undefined
}

/** What a turn asks for. */
export interface AskedTurn {
  readonly provider: string
  readonly model: string | null
  readonly attempt: number
  readonly calls: ReadonlyArray<AskedCall>
  readonly gate: Gate
  /** Whether a rejected turn is fed back to its model. */
  readonly mayRetry: boolean
  readonly narrowed: ReadonlyMap<string, Failures>
  readonly usage: ModelUsage | undefined
  readonly spending: Spending | undefined
  readonly preparedId: string | undefined
  /** The code with which a reservation was refused, where that is not enforced. */
  readonly refused: string | null
}

export interface AdmittedStep {
  readonly step: Step
  /** False where the authority knows nothing of it: no receipt is sent. */
  readonly isGuarded: boolean
}

export interface Admission {
  /** By call: its step, or undefined where it is not admitted. */
  readonly steps: ReadonlyArray<AdmittedStep | undefined>
  readonly failures: ReadonlyArray<Failures>
  /** Why the whole turn is rejected. Nothing of it is admitted then. */
  readonly rejection: unknown
  readonly isRetried: boolean
}

export interface AdmissionSettings {
  readonly mode: Mode
  readonly agent: string
  readonly principal: string | null
  readonly environment: string | null
  readonly contractOf: (tool: string) => ToolContract | undefined
  /** What is wrong with a call's arguments by its tool's own schema. */
  readonly problemOf: (tool: string, input: unknown) => ContractFailure | undefined
}

/** A turn while it is decided. */
interface Judged {
  readonly failures: ReadonlyArray<Failures>
  /** Indices of the calls that stay. */
  readonly kept: ReadonlyArray<number>
  readonly rejection: unknown
}

export class Admissions {
  readonly #authority: Authority
  readonly #rulebook: Rulebook
  readonly #guard: Guard
  readonly #log: DecisionLog
  readonly #settings: AdmissionSettings
  readonly #serial = new Serial()
  #unguarded = 0

  constructor(authority: Authority, rulebook: Rulebook, guard: Guard, log: DecisionLog, settings: AdmissionSettings) {
    this.#authority = authority
    this.#rulebook = rulebook
    this.#guard = guard
    this.#log = log
    this.#settings = settings
  }

  /** Judges a turn and admits what stays of it. Rejects with a kill and with trouble that nothing covers. */
  admit(turn: AskedTurn): Promise<Admission> {
    return this.#serial.run(() => this.#admit(turn))
  }

  /**
   * Whether the admission of a call holds for other arguments too, such as those that a schema has made of the model's: they
   * break no rule that looks into arguments, and take the same resources.
   */
  covers({ tool, input }: Pick<AskedCall, "tool" | "input">, other: unknown): boolean {
    if (this.#settings.mode !== "enforce" || jsonEquals(input, other)) return true
    const before = this.#bound(tool, input)
    const after = this.#bound(tool, other)
    return jsonEquals(before, after) && !("code" in after) && this.#rulebook.allowsArguments(tool, other)
  }

  /** Settles what a call has cost that came to nothing, and gives its reservation back. Never rejects. */
  async settle(spending: Spending | undefined, preparedId: string | undefined): Promise<void> {
    if (spending === undefined && preparedId === undefined) return
    this.#spent(spending)
    await this.#propose([], spending, preparedId).catch(() => {})
  }

  async #admit(turn: AskedTurn): Promise<Admission> {
    const { phase } = this.#rulebook
    this.#spent(turn.spending)
    const away = await this.#away()
    const { failures, kept, rejection: rejected } = this.#judge(turn)
    // Known before anything is admitted: what a tripped session had admitted would be orphaned by its own kill.
    const hasTripped = this.#hasTripped
    let rejection = rejected
    let steps: ReadonlyArray<AdmittedStep | undefined> = turn.calls.map(() => undefined)
    let refused = turn.refused
    let outcome: Decision["outcome"] = "failed"
    try {
      const asked = hasTripped ? [] : kept.filter((index) => turn.calls[index]?.resumed === undefined)
      const calls = asked.map((index) => this.#call(turn.calls[index]))
      const admitted = await this.#admitted(calls, turn, rejection !== undefined || hasTripped, away)
      refused = admitted.refused ?? refused
      rejection ??= admitted.rejection
      if (rejection === undefined && !hasTripped) steps = placed(turn.calls, asked, admitted.steps)
      if (hasTripped) await this.#obeyBreaker()
      const isRetried = rejection !== undefined && turn.mayRetry
      outcome = isRetried
        ? "retried"
        : rejection !== undefined
          ? "rejected"
          : kept.length < turn.calls.length
            ? "stripped"
            : "passed"
      return { steps, failures, rejection, isRetried }
    } finally {
      this.#capture(turn, { phase, failures, steps, outcome, refused })
    }
  }

  /**
   * Why the session can't be opened now. What is judged then is judged without what the session did before, so it must not be
   * proposed either, should the session open in between.
   */
  async #away(): Promise<unknown> {
    try {
      await this.#authority.ready()
      return undefined
    } catch (error) {
      // Every other error is told by the proposal, which settles what was spent.
      return isInfrastructure(error) ? error : undefined
    }
  }

  #judge({ calls, gate }: AskedTurn): Judged {
    const { mode } = this.#settings
    const all = calls.map((_, index) => index)
    if (mode === "log-only") return { failures: calls.map(() => []), kept: all, rejection: undefined }
    const failures = alike(calls, this.#failuresOf(calls))
    if (mode === "shadow") return { failures, kept: all, rejection: undefined }
    const allowed = all.filter((index) => failures[index]?.length === 0)
    const isRejected =
      allowed.length < calls.length && (gate === "reject_all" || (gate === "strip_partial" && allowed.length === 0))
    if (!isRejected) return { failures, kept: allowed, rejection: undefined }
    const [first, ...rest] = failures.flat()
    if (first === undefined) throw new Error("a turn is rejected without a failure")
    return { failures, kept: [], rejection: new ReplayContractError([first, ...rest]) }
  }

  #failuresOf(calls: ReadonlyArray<AskedCall>): ReadonlyArray<Failures> {
    const judged = this.#rulebook
      .judge(
        calls
          .filter(({ resumed }) => resumed === undefined)
          .map((call) => ({
            tool: call.tool,
            arguments: call.input,
            flaw: call.flaw ?? this.#settings.problemOf(call.tool, call.input) ?? this.#keyFlaw(call),
          })),
      )
      .values()
    return calls.map(({ resumed }) => (resumed === undefined ? (judged.next().value ?? []) : []))
  }

  #keyFlaw({ tool, input }: AskedCall): ContractFailure | undefined {
    const bound = this.#bound(tool, input)
    return "code" in bound
      ? { tool, path: "$", operator: "resources", code: "invalid_resource_key", detail: bound.detail }
      : undefined
  }

  /** The runtime binds them too; naming them here holds where its definition does not have the contract. */
  #bound(tool: string, input: unknown) {
    return boundResources({ tool, arguments: input }, this.#settings.contractOf(tool))
  }

  #call(call: AskedCall | undefined): AllowedCall {
    if (call === undefined) throw new Error("a call was kept that was not asked for")
    const bound = this.#bound(call.tool, call.input)
    return { tool: call.tool, arguments: call.input, resources: "code" in bound ? [] : bound }
  }

  async #admitted(
    calls: ReadonlyArray<AllowedCall>,
    { spending, preparedId }: AskedTurn,
    isRejected: boolean,
    away: unknown,
  ): Promise<{ readonly steps: ReadonlyArray<AdmittedStep>; readonly rejection?: unknown; readonly refused?: string }> {
    if (calls.length === 0 && spending === undefined && preparedId === undefined) return { steps: [] }
    try {
      if (away !== undefined) {
        if (spending !== undefined) this.#authority.owe(spending)
        throw away
      }
      const steps = await this.#propose(calls, spending, preparedId)
      for (const { stepId, tool } of steps) this.#rulebook.admitted(stepId, tool)
      return { steps: steps.map((step) => ({ step, isGuarded: true })) }
    } catch (error) {
      // A rejected turn stays rejected with its own reason; what it has cost is remembered.
      if (isRejected && isInfrastructure(error)) return { steps: [] }
      if (error instanceof ReplayKillError || this.#authority.life.hasEnded) throw error
      if (this.#guard.lets(error)) return { steps: this.#without(calls) }
      if (!isRefusal(error)) throw error
      return this.#settings.mode === "enforce"
        ? { steps: [], rejection: error }
        : { steps: this.#without(calls), refused: error.code }
    }
  }

  /** Calls that go through although the authority did not admit them. The contracts count them all the same. */
  #without(calls: ReadonlyArray<AllowedCall>): ReadonlyArray<AdmittedStep> {
    return calls.map(({ tool }) => {
      this.#unguarded += 1
      const stepId = `unguarded.${this.#unguarded}`
      this.#rulebook.admitted(stepId, tool)
      return { step: { stepId, tool, status: "admitted", fences: [] }, isGuarded: false }
    })
  }

  async #propose(
    calls: ReadonlyArray<AllowedCall>,
    spending: Spending | undefined,
    preparedId: string | undefined,
  ): Promise<ReadonlyArray<Step>> {
    const steps = await this.#authority.propose({ calls, usage: spending, preparedId })
    this.#guard.answered()
    return steps
  }

  #spent(spending: Spending | undefined): void {
    if (spending !== undefined) this.#rulebook.spent(toMicros(spending.cost))
  }

  get #hasTripped(): boolean {
    return this.#rulebook.trip !== undefined && this.#settings.mode === "enforce" && !this.#authority.life.hasEnded
  }

  /** A session that is blocked or fails again and again ends itself. */
  async #obeyBreaker(): Promise<void> {
    const { trip } = this.#rulebook
    if (trip === undefined || !this.#hasTripped) return
    await this.#authority.kill(`circuit_breaker: ${trip.operator} reached ${trip.count}`)
    throw this.#authority.life.why()
  }

  /** Kills the session where the breaker has tripped since the last turn, as a tool's error may do. */
  async checkBreaker(): Promise<void> {
    await this.#serial.run(() => this.#obeyBreaker())
  }

  #capture(
    turn: AskedTurn,
    found: Pick<Admission, "failures" | "steps"> &
      Pick<Decision, "phase" | "outcome"> & { readonly refused: string | null },
  ): void {
    const { mode, agent, principal, environment } = this.#settings
    const { failures, steps, phase, outcome, refused } = found
    const calls = turn.calls.map(({ callId, tool }, index): DecidedCall => {
      const admitted = steps[index]
      const why = failures[index] ?? []
      const verdict =
        admitted === undefined
          ? why.length > 0
            ? "blocked"
            : "withheld"
          : admitted.isGuarded
            ? admitted.step.status
            : "unguarded"
      return {
        callId,
        tool,
        verdict,
        stepId: admitted?.isGuarded === true ? admitted.step.stepId : null,
        failures: why,
      }
    })
    const shadowDelta: ShadowDelta | null =
      mode === "shadow"
        ? {
            narrowed: [...turn.narrowed.keys()],
            blocked: calls.filter((call) => call.failures.length > 0).map(({ tool }) => tool),
            refused,
          }
        : null
    this.#log.add({
      mode,
      provider: turn.provider,
      model: turn.model,
      attempt: turn.attempt,
      agent,
      principal,
      environment,
      phase,
      narrowed: Array.from(turn.narrowed, ([tool, why]) => ({ tool, failures: why })),
      calls,
      outcome,
      usage: turn.usage ?? null,
      cost: turn.spending?.cost ?? null,
      shadowDelta,
    })
  }
}

/**
 * Calls to which a provider has given one id share their fate: an answer can be rid of none of them alone, and what stays would
 * be admitted and never seen.
 */
const alike = (calls: ReadonlyArray<AskedCall>, failures: ReadonlyArray<Failures>): ReadonlyArray<Failures> => {
  const byId = new Map<string | null, Failures>()
  calls.forEach(({ callId }, index) => {
    const own = failures[index] ?? []
    if (own.length > 0) byId.set(callId, own)
  })
  return calls.map(({ callId }, index) => {
    const own = failures[index] ?? []
    return own.length > 0 ? own : (byId.get(callId) ?? [])
  })
}

/** The steps of the calls that were asked for, each in its call's place, and those that were there before. */
const placed = (
  calls: ReadonlyArray<AskedCall>,
  asked: ReadonlyArray<number>,
  steps: ReadonlyArray<AdmittedStep>,
): ReadonlyArray<AdmittedStep | undefined> => {
  const all = calls.map(({ resumed }) => resumed)
  asked.forEach((index, at) => {
    all[index] = steps[at]
  })
  return all
}
