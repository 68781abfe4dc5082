/**
 * Governed tool calls: contract, admission, run, receipt (semantics.md §5).
 *
 * Nothing runs before it is admitted, and everything that was admitted gets a receipt, whatever the tool does: it returns,
 * throws, runs past its time, or its session is killed under it. A receipt says only what is certain. A tool that ignores its
 * signal is left behind after a grace, and reports when it does end.
 */

import type { ResolvedStep } from "../machines/answers.ts"
import { boundResources } from "../machines/bindings.ts"
import type { ToolContract } from "../machines/definition.ts"
import type { Fence, ResourceRef, StepId } from "../machines/ids.ts"
import { fail, WorkflowError } from "../runtime/errors.ts"
import type { Contracts } from "./contracts.ts"
import { ReplayConfigError, ReplayContractError, ToolAborted, ToolTimeoutError } from "./errors.ts"
import { type Report, reportOf } from "./evidence.ts"
import { limits } from "./limits.ts"
import type { SessionLink } from "./SessionLink.ts"
import { type StepOutcome, withOutcome } from "./StepOutcome.ts"
import type { Settlement, Tool, ToolContext, Tools } from "./Tools.ts"

/** An admitted step. */
interface Admitted {
  readonly stepId: StepId
  readonly fences: ReadonlyArray<Fence>
  readonly contract: ToolContract
}

type Ending =
  | { readonly _tag: "returned"; readonly value: unknown }
  | { readonly _tag: "threw"; readonly error: unknown }
  /** It goes on, in spite of its signal. */
  | { readonly _tag: "left" }

type Outcome = StepOutcome["outcome"]

/** A receipt that was refused. The late one of a dead session is recorded all the same. */
interface Refused {
  readonly error: unknown
  readonly isRecorded: boolean
}

export class ToolRunner {
  readonly #link: SessionLink
  readonly #contracts: Contracts
  readonly #tools: Tools
  readonly #running = new Set<Promise<unknown>>()

  constructor(link: SessionLink, contracts: Contracts, tools: Tools) {
    this.#link = link
    this.#contracts = contracts
    this.#tools = tools
  }

  call(name: string, args: unknown): Promise<unknown> {
    const call = this.#govern(name, args)
    this.#running.add(call)
    const forget = (): void => {
      this.#running.delete(call)
    }
    call.then(forget, forget)
    return call
  }

  /** Waits until every call is answered. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#running)
  }

  async #govern(name: string, args: unknown): Promise<unknown> {
    this.#link.life.check()
    const contract = this.#contracts.allowed(name)
    const tool = this.#tools[name]
    if (tool === undefined) throw new Error(`there is no tool ${name}`)
    const input = copied(name, args)
    const step = await this.#admitted(contract, input)
    // It was killed on the way: the step is an orphan that certainly had no effect.
    if (this.#link.life.hasEnded) {
      await this.#receipt(step, "aborted", noReport)
      throw this.#link.life.why()
    }
    return this.#run(step, tool, input)
  }

  async #admitted(contract: ToolContract, input: unknown): Promise<Admitted> {
    const { tool } = contract
    const args = input === undefined ? {} : { arguments: input }
    const resources = bound(contract, input)
    const call = { tool, ...args, ...(resources.length === 0 ? {} : { resources }) }
    const [step] = await this.#link.command((session, options) => session.propose({ calls: [call] }, options))
    if (step === undefined) throw new Error("a proposal of one call was answered without a step")
    const { stepId } = step
    if (step.status === "admitted") return { stepId, fences: step.fences, contract }
    try {
      return { stepId, fences: await this.#turn(stepId), contract }
    } catch (error) {
      // Nobody waits for its turn any more, and nothing of it ran. A kill has aborted it already.
      if (!this.#link.life.isKilled) await this.#receipt({ stepId, fences: [], contract }, "aborted", noReport)
      throw error
    }
  }

  /** Waits until a queued step heads its queues, and answers with the tokens of its admission. */
  #turn(stepId: StepId): Promise<ReadonlyArray<Fence>> {
    return this.#link.wait(
      (body) =>
        ("admitted" in body && body.admitted?.some((admission) => admission.stepId === stepId) === true) ||
        (body._tag === "steps.resolved" && body.steps.some((resolved) => resolved.stepId === stepId)),
      async () => {
        const view = await this.#link.command((session) => session.state())
        const step = view.steps.find((candidate) => candidate.stepId === stepId)
        if (step === undefined)
          throw fail("step_already_resolved", `Step ${stepId} was resolved before its turn came.`, { stepId })
        return step.status === "queued" ? undefined : step.fences
      },
    )
  }

  async #run(step: Admitted, tool: Tool, input: unknown): Promise<unknown> {
    const { contract } = step
    const { life } = this.#link
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
    const refused = outcome === "unknown" && life.isKilled ? undefined : await this.#receipt(step, outcome, report)
    if (end._tag === "left") this.#reportWhenDone(step, ends, outcome, () => settlement)
    const reported = refused === undefined || refused.isRecorded
    const noted: StepOutcome = { stepId: step.stepId, tool: contract.tool, outcome, reported }
    const cause = end._tag === "threw" ? end.error : undefined
    if (life.isKilled) throw withOutcome(life.why(cause), noted)
    if (isLate)
      throw withOutcome(new ToolTimeoutError(contract.tool, contract.timeoutMs ?? 0, became[outcome], cause), noted)
    if (end._tag === "threw") throw withOutcome(end.error, noted)
    if (refused !== undefined) throw withOutcome(refused.error, noted)
    if (end._tag === "left") throw withOutcome(life.why(), noted)
    if (report.problem !== undefined)
      throw withOutcome(new ReplayConfigError("tools", `${contract.tool} reported wrongly: ${report.problem}.`), noted)
    return end.value
  }

  /** A tool that was left behind is heard all the same: what it says then is certain. */
  #reportWhenDone(step: Admitted, ends: Promise<Ending>, before: Outcome, settlement: () => Settlement): void {
    const report = ends.then(async (end) => {
      const outcome = outcomeFor(step.contract, end)
      if (outcome === before) return
      await this.#receipt(step, outcome, reportOf(end._tag === "returned" ? end.value : undefined, settlement()))
    })
    report.then(undefined, () => {})
  }

  /** Sends the receipt, also when the session has ended: a late one is still recorded. Answers with why it was refused. */
  async #receipt(step: Admitted, outcome: Outcome, report: Report): Promise<Refused | undefined> {
    const { session } = await this.#link.ready()
    const { stepId, fences } = step
    const item = { stepId, outcome, ...(outcome === "committed" ? { fences } : {}), ...report.fields }
    try {
      // No key: a receipt that is repeated with the same outcome changes nothing (semantics.md §5).
      await this.#link.retry<{ readonly steps: ReadonlyArray<ResolvedStep> }>(() =>
        session.receipt({ receipts: [item] }),
      )
      return undefined
    } catch (error) {
      const isRecorded = error instanceof WorkflowError && error.facts.recorded === true
      return { error: this.#link.heard(error), isRecorded }
    }
  }
}

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
  // It may still do its work, even within a transaction.
  if (end._tag === "left") return "unknown"
  if (end.error instanceof ToolAborted || contract.evidenceClass === "local_transaction") return "aborted"
  return "unknown"
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
    throw new ReplayContractError(
      { tool, path: "$", operator: null, code: "invalid_arguments" },
      `its arguments must be data. ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

/** The resources that the contract binds. The runtime binds them too; naming them here holds where its definition has none. */
const bound = (contract: ToolContract, input: unknown): ReadonlyArray<ResourceRef> => {
  const resources = boundResources({ tool: contract.tool, arguments: input }, contract)
  if (!("code" in resources)) return resources
  throw new ReplayContractError(
    { tool: contract.tool, path: "$", operator: "resources", code: "invalid_resource_key" },
    resources.detail,
  )
}
