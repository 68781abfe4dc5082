/**
 * The pipeline of a model call: narrow, check the limits and reserve, ask, judge and admit, settle.
 *
 * A model is asked only where its session may act and its budget has room; its tool calls reach the agent only where all that
 * stay of them were admitted; and what it has cost is settled also where everything was blocked.
 */
import { fromMicros, toMicros } from "../../machines/ids.ts"
import { fail, isRefusal, WorkflowError } from "../../runtime/errors.ts"
import { type ContractFailure, failureText, ReplayContractError } from "../errors.ts"
import { limits } from "../limits.ts"
import type { NarrowingFeedback, Settings } from "../options.ts"
import type { Admission, Admissions, AdmittedStep, AskedCall } from "./Admission.ts"
import type { Authority, Spending } from "./Authority.ts"
import type { Guard } from "./Guard.ts"
import { costOf, estimatedUsage, type PriceList } from "./prices.ts"
import type { Failures, Rulebook } from "./Rulebook.ts"
import type { WaitingStep } from "./Steps.ts"
import type { Governor, ModelAnswer, ModelCall, ModelRequest, ModelUsage, ToolResult, Turn, Verdict } from "./Turn.ts"

/** What the pipeline needs of the tools' side. */
export interface ToolSide {
  /** Whether the session runs the tool itself. */
  readonly runs: (tool: string) => boolean
  /**
   * Takes the admitted calls of an answer over: they are run by the session, or their results come in with a later request.
   * Rejects where one of them will never be admitted or the session has ended, and gives all of them back.
   */
  readonly admitted: (calls: ReadonlyArray<AdmittedCall>) => Promise<void>
  /** Takes up what an earlier process of the session had asked for and nobody has begun; undefined where there is nothing. */
  readonly resumed: (tool: string, input: unknown) => WaitingStep | undefined
  /** Puts it back: the answer that asked for it again was rejected. */
  readonly notResumed: (waiting: WaitingStep) => void
  /** Results of calls that the agent ran with its own code. */
  readonly results: (results: ReadonlyArray<ToolResult>) => Promise<void>
}

export interface AdmittedCall extends AdmittedStep {
  readonly callId: string
  readonly input: unknown
}

export interface ModelGovernorParts {
  readonly settings: Settings
  readonly authority: Authority
  readonly rulebook: Rulebook
  readonly admissions: Admissions
  readonly guard: Guard
  readonly prices: PriceList
  readonly tools: ToolSide
}

/** What `begin` found out and `finish` needs. */
interface Begun {
  readonly request: ModelRequest
  readonly narrowed: ReadonlyMap<string, Failures>
  readonly preparedId: string | undefined
  readonly estimate: ModelUsage
  readonly refused: string | null
}

export class ModelGovernor implements Governor {
  readonly #parts: ModelGovernorParts
  /** Neither the workflow nor the role limits cost or tokens: there is nothing to reserve. No limit is ever added later. */
  #isUnlimited = false
  readonly #ending = new Set<Promise<unknown>>()

  constructor(parts: ModelGovernorParts) {
    this.#parts = parts
  }

  async begin(request: ModelRequest): Promise<Turn> {
    const { authority, settings, rulebook, guard, tools } = this.#parts
    authority.life.check()
    try {
      await authority.ready()
    } catch (error) {
      if (!guard.covers(error)) throw error
    }
    await tools.results(request.results)
    const narrowed = settings.mode === "log-only" ? noneNarrowed : rulebook.narrow(request.tools)
    const estimate = estimatedUsage(request.inputChars, request.maxOutputTokens)
    this.#checkSessionCost(request.model, estimate)
    const reserved = await this.#reserve(request.model, estimate)
    return this.#turn({ request, narrowed, estimate, ...reserved })
  }

  /** `max_cost_per_session`, before the money is spent. */
  #checkSessionCost(model: string, estimate: ModelUsage): void {
    const { settings, rulebook } = this.#parts
    const left = rulebook.costLeft
    if (left === undefined || settings.mode !== "enforce") return
    const cost = this.#cost(model, model, estimate)
    if (cost === undefined) throw priceUnknown(model)
    if (toMicros(cost) > left)
      throw new ReplayContractError([
        blockedModel(model, "session_limit_exceeded", "max_cost_per_session", {
          detail: `the call may cost ${cost}, and the session has ${Math.max(0, fromMicros(left))} left.`,
        }),
      ])
  }

  async #reserve(model: string, estimate: ModelUsage): Promise<Pick<Begun, "preparedId" | "refused">> {
    const { authority, settings, guard, admissions } = this.#parts
    if (this.#isUnlimited) return { preparedId: undefined, refused: null }
    const cost = this.#cost(model, model, estimate)
    try {
      const tokens = estimate.inputTokens + estimate.outputTokens
      const { preparedId, remaining } = await authority.reserve({ cost, tokens })
      this.#isUnlimited = remaining.cost === null && remaining.tokens === null
      if (cost !== undefined || remaining.cost === null) return { preparedId, refused: null }
      if (settings.mode !== "enforce") return { preparedId, refused: "price_unknown" }
      // The role's default_cost stood in for it, and that is the price of a tool.
      await admissions.settle(undefined, preparedId)
      throw priceUnknown(model)
    } catch (error) {
      if (authority.life.hasEnded) throw error
      if (guard.covers(error)) return { preparedId: undefined, refused: null }
      if (!isRefusal(error)) throw error
      if (settings.mode !== "enforce") return { preparedId: undefined, refused: error.code }
      throw error.code === "cost_unknown" ? priceUnknown(model) : error
    }
  }

  /** Decimal money; undefined where neither name has a price. */
  #cost(asked: string, answered: string, usage: ModelUsage): number | undefined {
    const { prices } = this.#parts
    const price = prices.of(asked) ?? prices.of(answered)
    return price === undefined ? undefined : costOf(price, usage)
  }

  #turn(begun: Begun): Turn {
    const { authority, settings } = this.#parts
    const controller = new AbortController()
    const forget = authority.life.onEnd((why) => controller.abort(reasonOf(why)))
    const isEnforced = settings.mode === "enforce"
    const removed = isEnforced ? new Set(begun.narrowed.keys()) : noneRemoved
    return {
      removed,
      notice: noticeOf(settings.narrowingFeedback, removed, begun.narrowed),
      headers: headersOf(settings.narrowingFeedback, removed, begun.narrowed),
      signal: controller.signal,
      finish: (answer) => this.#tracked(this.#finish(begun, answer).finally(forget)),
      fail: (usage) => {
        forget()
        const spending = this.#spending(begun.request.model, begun.request.model, usage)
        return this.#tracked(this.#parts.admissions.settle(spending, begun.preparedId))
      },
    }
  }

  #tracked<A>(ending: Promise<A>): Promise<A> {
    this.#ending.add(ending)
    const forget = (): void => {
      this.#ending.delete(ending)
    }
    ending.then(forget, forget)
    return ending
  }

  /** Waits until every answer that has come is judged, and what it has cost settled. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#ending)
  }

  async #finish({ request, narrowed, preparedId, estimate, refused }: Begun, answer: ModelAnswer): Promise<Verdict> {
    const { admissions, settings, tools } = this.#parts
    const { provider, model, attempt } = request
    const calls = answer.calls.map(asked).map((call) => ({ ...call, resumed: tools.resumed(call.tool, call.input) }))
    // A provider that tells no usage is presumed to have used what was estimated.
    const usage = answer.usage ?? estimate
    const putBack = (): void => {
      for (const { resumed } of calls) if (resumed !== undefined) tools.notResumed(resumed)
    }
    const asking = admissions.admit({
      provider,
      model,
      attempt,
      calls,
      narrowed,
      usage,
      preparedId,
      refused,
      gate: settings.gate,
      mayRetry: settings.mode === "enforce" && attempt < settings.maxRetries && calls.length > 0,
      spending: this.#spending(model, answer.model, usage),
    })
    asking.catch(putBack)
    const admission = await asking
    if (admission.rejection !== undefined) putBack()
    if (admission.isRetried) return { removed: nothingSaid, retry: true, feedback: feedbackOf(calls, admission) }
    if (admission.rejection !== undefined) throw admission.rejection
    const removed = new Map<string, string>()
    const stay: Array<AdmittedCall> = []
    for (const [index, { callId, input }] of calls.entries()) {
      const step = admission.steps[index]
      if (step === undefined) removed.set(callId, failureText(admission.failures[index] ?? []))
      else stay.push({ ...step, callId, input })
    }
    await tools.admitted(stay)
    return { removed, retry: false, feedback: nothingSaid }
  }

  #spending(asked: string, answered: string, usage: ModelUsage | undefined): Spending | undefined {
    if (usage === undefined) return undefined
    const { inputTokens, outputTokens } = usage
    return { inputTokens, outputTokens, cost: this.#cost(asked, answered, usage) ?? 0 }
  }
}

/** Clients take an AbortError for their caller's own and end a stream without a word: this one is not the caller's. */
const reasonOf = (why: unknown): unknown =>
  why instanceof Error && why.name === "AbortError"
    ? fail("closed", `The session was stopped in this process: ${why.message}`)
    : why

const noneNarrowed: ReadonlyMap<string, Failures> = new Map()
const noneRemoved: ReadonlySet<string> = new Set()
const nothingSaid: ReadonlyMap<string, string> = new Map()

const blockedModel = (
  model: string,
  code: ContractFailure["code"],
  operator: string,
  { detail }: { readonly detail: string },
): ContractFailure => ({ tool: model, path: null, operator, code, detail })

const priceUnknown = (model: string): ReplayContractError =>
  new ReplayContractError([
    blockedModel(model, "price_unknown", "max_cost", {
      detail: "a cost is limited, and nobody said what the model costs. Give its price in the option prices.",
    }),
  ])

const asked = ({ callId, tool, arguments: text }: ModelCall): AskedCall & { readonly callId: string } => {
  try {
    // A model that has nothing to say says nothing.
    const input: unknown = text.trim() === "" ? {} : JSON.parse(text)
    return { callId, tool, input }
  } catch {
    const detail = "the model wrote arguments that are no JSON."
    return { callId, tool, input: text, flaw: { tool, path: "$", operator: null, code: "invalid_arguments", detail } }
  }
}

/** What the model is told of each call of an answer that was rejected. */
const feedbackOf = (
  calls: ReadonlyArray<AskedCall & { readonly callId: string }>,
  { failures, rejection }: Admission,
): ReadonlyMap<string, string> =>
  new Map(
    calls.map(({ callId }, index) => {
      const own = failures[index] ?? []
      if (own.length > 0) return [callId, failureText(own)] as const
      const why = rejection instanceof WorkflowError ? ` (${rejection.message})` : ""
      return [callId, `It was not run, because the answer as a whole was rejected${why}.`] as const
    }),
  )

const noticeOf = (
  feedback: NarrowingFeedback,
  removed: ReadonlySet<string>,
  narrowed: ReadonlyMap<string, Failures>,
): string | undefined => {
  if (feedback !== "inject" || removed.size === 0) return undefined
  const reasons = Array.from(removed, (tool) => `${tool}: ${narrowed.get(tool)?.[0]?.detail ?? ""}`)
  return `Some tools are not available now. ${reasons.join(" ")}`
}

const headersOf = (
  feedback: NarrowingFeedback,
  removed: ReadonlySet<string>,
  narrowed: ReadonlyMap<string, Failures>,
): Readonly<Record<string, string>> =>
  feedback !== "metadata" || removed.size === 0 ? {} : { "handrail-narrowed": narrowedHeader(removed, narrowed) }

/** `tool=code, …`. A tool's name may hold anything, a header may not. */
const narrowedHeader = (removed: ReadonlySet<string>, narrowed: ReadonlyMap<string, Failures>): string =>
  Array.from(removed, (tool) => `${encodeURIComponent(tool)}=${narrowed.get(tool)?.[0]?.code ?? ""}`)
    .slice(0, limits.toolsInHeader)
    .join(", ")
