/**
 * Governed tool calls: contract, admission, run, receipt (semantics.md §5).
 *
 * Nothing runs before it is admitted, and everything that was admitted gets a receipt, whatever the tool does: it returns,
 * throws, runs past its time, or its session is killed under it. A receipt says only what is certain. A tool that ignores its
 * signal is left behind after a grace, and reports when it does end.
 */

import type { UnresolvedStep } from "../../machines/answers.ts"
import { jsonEquals } from "../../machines/contracts/jsonEquals.ts"
import type { ToolContract } from "../../machines/definition.ts"
import type { EventBody } from "../../machines/events.ts"
import { type Fence, toMicros } from "../../machines/ids.ts"
import { isInfrastructure } from "../../runtime/errors.ts"
import { ReplayConfigError, ReplayContractError, ToolAborted, ToolTimeoutError } from "../errors.ts"
import type { Admissions, AdmittedStep } from "../governor/Admission.ts"
import type { Authority, Receipt, RefusedReceipt, Step } from "../governor/Authority.ts"
import type { Guard } from "../governor/Guard.ts"
import type { ToolSide } from "../governor/ModelGovernor.ts"
import type { Rulebook, StepEnd } from "../governor/Rulebook.ts"
import { Steps, type WaitingStep } from "../governor/Steps.ts"
import { limits } from "../limits.ts"
import { type Report, reportOf } from "./evidence.ts"
import { type StepOutcome, withOutcome } from "./StepOutcome.ts"
import type { Settlement, Tool, ToolContext, Tools } from "./Tools.ts"

/** A step that may run. */
interface Runnable {
  readonly stepId: string
  readonly fences: ReadonlyArray<Fence>
  readonly contract: ToolContract
  readonly isGuarded: boolean
}

type Ending =
  | { readonly _tag: "returned"; readonly value: unknown }
  | { readonly _tag: "threw"; readonly error: unknown }
  /** It goes on, in spite of its signal. */
  | { readonly _tag: "left" }

type Outcome = StepOutcome["outcome"]

export interface ToolRunnerParts {
  readonly authority: Authority
  readonly admissions: Admissions
  readonly rulebook: Rulebook
  readonly guard: Guard
  readonly contractOf: (tool: string) => ToolContract | undefined
  readonly tools: Tools
}

export class ToolRunner implements ToolSide {
  readonly #parts: ToolRunnerParts
  /** Admitted calls of model turns that nobody has run yet. */
  readonly #waiting = new Steps()
  /** Steps that an earlier process of the session asked for and that were not admitted yet. */
  readonly #resumed = new Steps()
  readonly #running = new Set<Promise<unknown>>()
  /** Tools that bring their function with each call. */
  readonly #adopted = new Set<string>()

  constructor(parts: ToolRunnerParts) {
    this.#parts = parts
    const { life } = parts.authority
    // What nobody has begun had no effect, and says so, however the session ends: nothing need wait for it, nor be held by it.
    life.onEnd(() => {
      void this.#tracked(this.abandon({ leaves: life.isKilled ? "nothing" : "approvals" }))
    })
  }

  /** Runs a tool. With the id of a model's call it is that call; without, one that waits for these arguments, or a new one. */
  call(name: string, args: unknown, callId?: string): Promise<unknown> {
    return this.#tracked(this.#govern(name, this.#parts.tools[name], args, callId))
  }

  /**
   * Takes a tool over that is not among the session's own, as those of an agents' framework are: its function comes with each
   * call. Its admitted calls wait for that from now on, as those of the session's own tools do.
   */
  adopt(name: string): (args: unknown, run: Tool, callId?: string) => Promise<unknown> {
    this.#adopted.add(name)
    return (args, run, callId) => this.#tracked(this.#govern(name, run, args, callId))
  }

  /**
   * Takes over what an earlier process of the session left behind and nobody has begun: it keeps its place, and a call of the
   * same tool with the same arguments, by the agent or by its model, goes on there.
   */
  resume(steps: ReadonlyArray<UnresolvedStep>): void {
    for (const { stepId, tool, arguments: args, status, fences } of steps) {
      if (status === "orphaned") continue
      // The journal keeps null for a call without arguments.
      const input = args ?? undefined
      this.#resumed.add({ callId: stepId, step: { stepId, tool, status, fences }, input, isGuarded: true })
    }
  }

  readonly resumed: ToolSide["resumed"] = (tool, input) => this.#resumed.takeEqual(tool, input)

  readonly notResumed: ToolSide["notResumed"] = (waiting) => this.#resumed.add(waiting)

  /** Somebody has said what became of these steps: no call may run under them any more. */
  settled(stepIds: ReadonlyArray<string>): void {
    const isOver = new Set(stepIds)
    this.#drop((step) => isOver.has(step.stepId))
  }

  /** Something that happened to the session. One that awaits its turn finds out by itself, and why. */
  follow(body: EventBody, sessionId: string): void {
    if (body._tag !== "steps.resolved" || body.sessionId !== sessionId) return
    const isOver = new Set<string>(body.steps.flatMap(({ stepId, outcome }) => (outcome === "unknown" ? [] : stepId)))
    this.#drop(({ stepId, status }) => status === "admitted" && isOver.has(stepId))
  }

  /** What others say of these steps is what counts: nothing will be reported from here. */
  #drop(isMeant: (step: Step) => boolean): void {
    for (const steps of [this.#waiting, this.#resumed])
      for (const { step } of steps.takeAll(isMeant)) this.#parts.rulebook.reported(step.stepId, undefined)
  }

  #tracked<A>(call: Promise<A>): Promise<A> {
    this.#running.add(call)
    const forget = (): void => {
      this.#running.delete(call)
    }
    call.then(forget, forget)
    return call
  }

  readonly runs = (tool: string): boolean => Object.hasOwn(this.#parts.tools, tool)

  /** Whether the tool runs here and nowhere else: it is the session's own, or was adopted. */
  readonly owns = (tool: string): boolean => this.runs(tool) || this.#adopted.has(tool)

  readonly admitted: ToolSide["admitted"] = async (calls) => {
    for (const call of calls) this.#waiting.add(call)
    try {
      for (const call of calls) {
        const { step } = call
        // The agent's own code runs it as soon as it sees the call, so it sees the call when its turn has come.
        if (step.status === "admitted" || this.owns(step.tool)) continue
        this.#waiting.add({ ...call, step: { ...step, status: "admitted", fences: await this.#turn(step) } })
      }
      // Killed while its calls were admitted: they are orphans that nobody may run.
      if (calls.length > 0) this.#parts.authority.life.check()
    } catch (error) {
      await this.#giveBack(calls.flatMap(({ step }) => this.#waiting.take(step.stepId) ?? []))
      throw error
    }
  }

  readonly results: ToolSide["results"] = async (results) => {
    // The latest first: where a provider uses an id again, the earlier results of it are those of earlier calls.
    const told = results
      .toReversed()
      .flatMap((result) => {
        const waiting = this.#waiting.ofCall(result.callId).at(-1)
        if (waiting === undefined) return []
        this.#waiting.take(waiting.step.stepId)
        return [{ waiting, result }]
      })
      .reverse()
    const steps = told.map(({ waiting, result: { output: told, isError } }) => {
      const { step, isGuarded } = waiting
      const output = dataOf(told)
      const contract = this.#contract(step.tool)
      // A tool that comes with each call, and was not called, was refused on the way: by its schema, or by its user.
      const wasNotRun = this.#adopted.has(step.tool)
      const outcome = wasNotRun
        ? "aborted"
        : outcomeFor(contract, isError ? { _tag: "threw", error: output } : { _tag: "returned", value: output })
      const report = outcome === "committed" ? reportOf(output, {}) : noReport
      return {
        waiting,
        step: { stepId: step.stepId, fences: step.fences, contract, isGuarded },
        outcome,
        report,
        threw: isError,
      }
    })
    for (const { waiting, step, outcome, report, threw } of steps) {
      const refused = await this.#receipt(step, outcome, report, threw)
      // The next request tells it again.
      if (refused !== undefined && isInfrastructure(refused.error)) this.#waiting.add(waiting)
    }
    if (steps.length > 0) await this.#parts.admissions.checkBreaker()
  }

  /**
   * Gives back what was never begun: this process will not run it any more. A call that awaits approval may be left its
   * place, for the process that resumes the session.
   */
  async abandon({ leaves }: { readonly leaves: "approvals" | "nothing" } = { leaves: "nothing" }): Promise<void> {
    const isGivenBack = ({ tool, status }: Step): boolean =>
      this.owns(tool) && !(leaves === "approvals" && status === "awaiting_approval")
    await this.#giveBack([...this.#waiting.takeAll(isGivenBack), ...this.#resumed.takeAll(isGivenBack)])
  }

  async #giveBack(calls: ReadonlyArray<WaitingStep>): Promise<void> {
    for (const { step, isGuarded } of calls) {
      const { stepId, fences, tool } = step
      await this.#receipt({ stepId, fences, contract: this.#contract(tool), isGuarded }, "aborted", noReport, false)
    }
  }

  /** Waits until every call is answered. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#running)
  }

  async #govern(name: string, tool: Tool | undefined, args: unknown, callId: string | undefined): Promise<unknown> {
    const { authority } = this.#parts
    authority.life.check()
    if (tool === undefined) throw new Error(`there is no tool ${name}`)
    const input = copied(name, args)
    const found = callId === undefined ? this.#waiting.takeEqual(name, input) : await this.#taken(callId, name, input)
    const waiting = found ?? (await this.#asked(name, input))
    const step = await this.#runnable(waiting)
    // It was killed on the way: the step is an orphan that certainly had no effect.
    if (authority.life.hasEnded) {
      await this.#receipt(step, "aborted", noReport, false)
      throw authority.life.why()
    }
    return this.#run(step, tool, input)
  }

  /**
   * The model's call of this id. What reached its tool may be other than what was admitted, as where a program mends a
   * call that a model wrote badly: that is given back, and asked for anew.
   */
  async #taken(callId: string, tool: string, input: unknown): Promise<WaitingStep | undefined> {
    const all = this.#waiting.ofCall(callId)
    const covers = (waiting: WaitingStep): boolean =>
      waiting.step.tool === tool && this.#parts.admissions.covers({ tool, input: waiting.input }, input)
    const isEqual = (waiting: WaitingStep): boolean => waiting.step.tool === tool && jsonEquals(waiting.input, input)
    const found = all.find(isEqual) ?? all.find(covers)
    if (found !== undefined) return this.#waiting.take(found.step.stepId)
    await this.#giveBack(all.flatMap(({ step }) => this.#waiting.take(step.stepId) ?? []))
    return undefined
  }

  /** A call that no model asked for, or one that an earlier process had asked for. */
  async #asked(tool: string, input: unknown): Promise<AdmittedStep> {
    const { authority, admissions, guard } = this.#parts
    try {
      await authority.ready()
    } catch (error) {
      if (!guard.covers(error)) throw error
    }
    const resumed = this.#resumed.takeEqual(tool, input)
    if (resumed !== undefined) return resumed
    const { steps, rejection } = await admissions.admit({ ...ofAgent, calls: [{ callId: null, tool, input }] })
    if (rejection !== undefined) throw rejection
    const [step] = steps
    if (step === undefined) throw new Error("a turn of one call was admitted without a step")
    return step
  }

  async #runnable({ step, isGuarded }: AdmittedStep): Promise<Runnable> {
    const { stepId, fences, tool, status } = step
    const runnable = { stepId, fences, contract: this.#contract(tool), isGuarded }
    return status === "admitted" ? runnable : { ...runnable, fences: await this.#turn(step) }
  }

  /** Waits for a step's turn, and gives the step back where nobody waits for it any more. */
  async #turn(waiting: Step): Promise<ReadonlyArray<Fence>> {
    const { stepId, tool } = waiting
    try {
      return await this.#parts.authority.turnOf(waiting)
    } catch (error) {
      const step = { stepId, fences: [], contract: this.#contract(tool), isGuarded: true }
      const { life } = this.#parts.authority
      // A person may decide later, and whoever resumes the session takes it up.
      const isKept = life.hasEnded && waiting.status === "awaiting_approval"
      // Nothing of it ran. A kill has aborted it already.
      if (!life.isKilled && !isKept) await this.#receipt(step, "aborted", noReport, false)
      throw error
    }
  }

  #contract(tool: string): ToolContract {
    return this.#parts.contractOf(tool) ?? { ...uncontracted, tool }
  }

  async #run(step: Runnable, tool: Tool, input: unknown): Promise<unknown> {
    const { contract } = step
    const { life } = this.#parts.authority
    const controller = new AbortController()
    const forgetEnd = life.onEnd((why) => controller.abort(why))
    let isLate = false
    const timer = timeout(contract.timeoutMs, () => {
      isLate = true
      controller.abort(new DOMException(`${contract.tool} ran longer than ${contract.timeoutMs} ms`, "TimeoutError"))
    })
    let settlement: Settlement = {}
    const settle: ToolContext["settle"] = (report) => {
      settlement = { ...report }
    }
    const ends = ending(tool, input, { signal: controller.signal, stepId: step.stepId, fences: step.fences, settle })
    const end = await withinGrace(ends, controller.signal)
    clearTimeout(timer)
    forgetEnd()
    const outcome = outcomeFor(contract, end)
    const report =
      outcome === "unknown" ? noReport : reportOf(end._tag === "returned" ? end.value : undefined, settlement)
    // The journal does not take "unknown" for a step that its kill has made an orphan: it is known to be unknown.
    const isSettled = outcome === "unknown" && life.isKilled
    const threw = end._tag !== "returned"
    const refused = isSettled ? undefined : await this.#receipt(step, outcome, report, threw)
    if (end._tag === "left") this.#reportWhenDone(step, ends, outcome, () => settlement)
    const reported = refused === undefined || refused.isRecorded
    const noted: StepOutcome = { stepId: step.stepId, tool: contract.tool, outcome, reported }
    const cause = end._tag === "threw" ? end.error : undefined
    if (threw && !life.hasEnded) await this.#parts.admissions.checkBreaker().catch(() => {})
    if (life.isKilled) throw withOutcome(life.why(cause), noted)
    if (isLate)
      throw withOutcome(new ToolTimeoutError(contract.tool, contract.timeoutMs ?? 0, became[outcome], cause), noted)
    if (end._tag === "threw") throw withOutcome(end.error, noted)
    // Where calls go on without the control plane, so does the work: the step stays unresolved and visible.
    if (refused !== undefined && !this.#parts.guard.covers(refused.error)) throw withOutcome(refused.error, noted)
    if (end._tag === "left") throw withOutcome(life.why(), noted)
    if (report.problem !== undefined)
      throw withOutcome(new ReplayConfigError("tools", `${contract.tool} reported wrongly: ${report.problem}.`), noted)
    return end.value
  }

  /** A tool that was left behind is heard all the same: what it says then is certain. */
  #reportWhenDone(step: Runnable, ends: Promise<Ending>, before: Outcome, settlement: () => Settlement): void {
    const report = ends.then(async (end) => {
      const outcome = outcomeFor(step.contract, end)
      if (outcome === before) return
      const isReturned = end._tag === "returned"
      await this.#receipt(step, outcome, reportOf(isReturned ? end.value : undefined, settlement()), !isReturned)
    })
    report.then(undefined, () => {})
  }

  /** Sends the receipt, also when the session has ended: a late one is still recorded. Answers with why it was refused. */
  async #receipt(
    step: Runnable,
    outcome: Outcome,
    { fields }: Report,
    threw: boolean,
  ): Promise<RefusedReceipt | undefined> {
    const { authority, rulebook } = this.#parts
    const { stepId, fences, isGuarded } = step
    const item: Receipt = { stepId, outcome, ...(outcome === "committed" ? { fences } : {}), ...fields }
    const refused = isGuarded ? await authority.receipt([item]) : undefined
    rulebook.reported(stepId, refused === undefined ? endOf(outcome, fields, threw) : undefined)
    return refused
  }
}

/** A turn of one call that the agent makes by itself. */
const ofAgent = {
  provider: "tools",
  model: null,
  attempt: 0,
  gate: "reject_all",
  mayRetry: false,
  narrowed: new Map<string, never>(),
  usage: undefined,
  spending: undefined,
  preparedId: undefined,
  refused: null,
} as const

/** What is presumed of a tool without a contract: that a failure says nothing about its effect. */
const uncontracted: Omit<ToolContract, "tool"> = {
  sideEffect: "write",
  evidenceClass: "ack_only",
  resources: [],
  estimate: null,
  timeoutMs: null,
  rest: {},
}

/** What a model was told is text; where that is JSON, the contracts look into it. */
const dataOf = (output: unknown): unknown => {
  if (typeof output !== "string") return output
  try {
    return JSON.parse(output)
  } catch {
    return output
  }
}

const endOf = (outcome: Outcome, { evidence, actualCost }: Report["fields"], threw: boolean): StepEnd =>
  outcome === "committed"
    ? { outcome, evidence, actualCost: actualCost === undefined ? undefined : toMicros(actualCost) }
    : { outcome, threw }

const noReport: Report = { fields: {}, problem: undefined }

const became: Readonly<Record<Outcome, string>> = {
  committed: "It ended after all and its step is committed: do not repeat it.",
  aborted: "Its step is aborted: it had no effect.",
  unknown: "Its step is unresolved, because its effect is not known.",
}

/** What is certain after a tool ended so (semantics.md §5). */
const outcomeFor = (contract: ToolContract, end: Ending): Outcome => {
  if (end._tag === "returned") return "committed"
  if (contract.sideEffect === "read") return "aborted"
  // Nobody acknowledges such a call, so nobody would ever find out: once begun it counts as done.
  const unsure = contract.rest.commit_requirement === "none" ? "committed" : "unknown"
  // It may still do its work, even within a transaction.
  if (end._tag === "left") return unsure
  if (end.error instanceof ToolAborted || contract.evidenceClass === "local_transaction") return "aborted"
  return unsure
}

/** Runs the tool; it always ends as a value, also where it throws before its first await. */
const ending = async (tool: Tool, input: unknown, context: ToolContext): Promise<Ending> => {
  try {
    // The argument types were checked where the caller called; the table of tools can't say them.
    return { _tag: "returned", value: await tool(input as never, context) }
  } catch (error) {
    return { _tag: "threw", error }
  }
}

/** The ending, or `left` where it does not come within the grace after the signal has aborted. */
const withinGrace = (ends: Promise<Ending>, signal: AbortSignal): Promise<Ending> =>
  new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      timer = setTimeout(() => resolve({ _tag: "left" }), limits.abortGraceMs)
    }
    signal.addEventListener("abort", onAbort, { once: true })
    if (signal.aborted) onAbort()
    void ends.then((end) => {
      clearTimeout(timer)
      signal.removeEventListener("abort", onAbort)
      resolve(end)
    })
  })

const timeout = (ms: number | null, then: () => void): NodeJS.Timeout | undefined =>
  ms === null ? undefined : setTimeout(then, Math.min(ms, limits.timerMs))

/** A copy, so that the tool runs with what was admitted, whatever its caller does to the arguments meanwhile. */
const copied = (tool: string, args: unknown): unknown => {
  try {
    return structuredClone(args)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const detail = `its arguments must be data. ${why}`
    throw new ReplayContractError([{ tool, path: "$", operator: null, code: "invalid_arguments", detail }])
  }
}
