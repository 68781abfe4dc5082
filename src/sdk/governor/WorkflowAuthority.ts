/**
 * The authority inside a workflow: its control plane, over the session's link.
 */
import type { ResolvedStep } from "../../machines/answers.ts"
import type { EventBody } from "../../machines/events.ts"
import type { Fence } from "../../machines/ids.ts"
import { fail, isRefusal, WorkflowError } from "../../runtime/errors.ts"
import { ReplayContractError, ReplayKillError } from "../errors.ts"
import { limits } from "../limits.ts"
import type { Life } from "../link/Life.ts"
import type { SessionLink } from "../link/SessionLink.ts"
import type { Authority, Estimate, Proposal, Receipt, RefusedReceipt, Reserved, Spending, Step } from "./Authority.ts"

/** Refusals of the reservation, not of the calls: without it they may well be admitted. */
const aboutReservation: ReadonlySet<string> = new Set(["version_mismatch", "prepared_request_invalid"])

/** Refusals of a command that nobody has judged: what it says of usage is not in the account either. */
const beforeJudging: ReadonlySet<string> = new Set(["invalid_request", "payload_too_large"])

const nothing: Spending = { inputTokens: 0, outputTokens: 0, cost: 0 }

export class WorkflowAuthority implements Authority {
  readonly #link: SessionLink
  /** Steps of this session whose approval was refused, and why: whoever waits for them may ask later. */
  readonly #rejected = new Map<string, string>()
  /** What was spent and could not be told. */
  #debt = nothing

  constructor(link: SessionLink) {
    this.#link = link
  }

  get life(): Life {
    return this.#link.life
  }

  /** Something that happened to the session. */
  follow(body: EventBody, sessionId: string): void {
    if (body._tag !== "steps.resolved" || body.rejected !== true || body.sessionId !== sessionId) return
    for (const { stepId } of body.steps) {
      const [oldest] = this.#rejected.keys()
      if (this.#rejected.size >= limits.waitingSteps && oldest !== undefined) this.#rejected.delete(oldest)
      this.#rejected.set(stepId, body.reason ?? "")
    }
  }

  async ready(): Promise<void> {
    this.life.check()
    await this.#link.ready()
    this.life.check()
  }

  async reserve({ cost, tokens }: Estimate): Promise<Reserved> {
    const estimate = { estimatedTokens: tokens, ...(cost === undefined ? {} : { estimatedCost: cost }) }
    const prepared = await this.#link.command((session, options) => session.preflight(estimate, options))
    return { preparedId: prepared.preparedRequestId, remaining: prepared.remaining }
  }

  async propose(proposal: Proposal): Promise<ReadonlyArray<Step>> {
    const { calls, preparedId } = proposal
    if (calls.length === 0) return this.#send(proposal)
    if (this.life.hasEnded) {
      await this.#settle(proposal)
      throw this.life.why()
    }
    try {
      return await this.#send(proposal)
    } catch (error) {
      if (!isRefusal(error)) throw error
      // A refusal does not use the reservation up, and has settled the usage only where it was judged.
      await this.#settle({ preparedId })
      if (preparedId === undefined || !aboutReservation.has(error.code)) throw error
      // The session moved on during the model call, as parallel calls do.
      return this.#send({ calls })
    }
  }

  turnOf({ stepId, tool }: Step): Promise<ReadonlyArray<Fence>> {
    return this.#link.wait(
      (body) =>
        ("admitted" in body && body.admitted?.some((admission) => admission.stepId === stepId) === true) ||
        (body._tag === "steps.resolved" && body.steps.some((resolved) => resolved.stepId === stepId)),
      async () => {
        const view = await this.#link.command((session) => session.state())
        const step = view.steps.find((candidate) => candidate.stepId === stepId)
        // Its event may still be on the way.
        if (view.status === "killed") {
          this.#link.killed(view)
          throw this.life.why()
        }
        const rejected = this.#rejected.get(stepId)
        if (rejected !== undefined) throw notApproved(tool, rejected)
        if (step === undefined)
          throw fail("step_already_resolved", `Step ${stepId} was resolved before its turn came.`, { stepId })
        return step.status === "admitted" ? step.fences : undefined
      },
    )
  }

  async receipt(receipts: ReadonlyArray<Receipt>): Promise<RefusedReceipt | undefined> {
    try {
      // Also when the session has ended: a late one is still recorded. No key: a receipt that is repeated with the same
      // outcome changes nothing (semantics.md §5).
      const { session } = await this.#link.ready()
      await this.#link.retry<{ readonly steps: ReadonlyArray<ResolvedStep> }>(() => session.receipt({ receipts }))
      return undefined
    } catch (error) {
      const isRecorded = error instanceof WorkflowError && error.facts.recorded === true
      return { error: this.#link.heard(error), isRecorded }
    }
  }

  async kill(reason: string): Promise<void> {
    // The descendants of a session that runs wild work for nobody.
    const receipt = await this.#link.command((session, options) => session.kill({ scope: "subtree", reason }, options))
    this.#link.killed(receipt)
  }

  owe(usage: Spending): void {
    this.#debt = sum(this.#debt, usage)
  }

  payUp(): Promise<void> {
    return this.#link.opened === undefined ? Promise.resolve() : this.#settle({})
  }

  /** Settles usage and gives a reservation back, without a call. */
  async #settle({ usage, preparedId }: Pick<Proposal, "usage" | "preparedId">): Promise<void> {
    if (usage === undefined && preparedId === undefined && isNothing(this.#debt)) return
    await this.#send({ calls: [], usage, preparedId }).catch(() => {})
  }

  async #send({ calls, usage, preparedId }: Proposal): Promise<ReadonlyArray<Step>> {
    const owed = sum(this.#debt, usage ?? nothing)
    this.#debt = nothing
    try {
      return await this.#told({ calls, preparedId, usage: usage === undefined && isNothing(owed) ? undefined : owed })
    } catch (error) {
      // A refusal by the rules, such as of a dead session, has settled it; trouble on the way may have.
      const isSettled = error instanceof ReplayKillError || (isRefusal(error) && !beforeJudging.has(error.code))
      if (!isSettled) this.owe(owed)
      throw error
    }
  }

  #told({ calls, usage, preparedId }: Proposal): Promise<ReadonlyArray<Step>> {
    const proposal = {
      calls: calls.map(({ tool, arguments: args, resources }) => ({
        tool,
        ...(args === undefined ? {} : { arguments: args }),
        ...(resources.length === 0 ? {} : { resources }),
      })),
      ...(usage === undefined ? {} : { usage }),
      ...(preparedId === undefined ? {} : { preparedRequestId: preparedId }),
    }
    return this.#link.settle((session, options) => session.propose(proposal, options))
  }
}

const isNothing = ({ inputTokens, outputTokens, cost }: Spending): boolean => inputTokens + outputTokens + cost === 0

/** Within what a command may say: a sum that is refused would be owed, and refused, for ever. */
const sum = (a: Spending, b: Spending): Spending => ({
  inputTokens: Math.ceil(Math.min(limits.usageTokens, a.inputTokens + b.inputTokens)),
  outputTokens: Math.ceil(Math.min(limits.usageTokens, a.outputTokens + b.outputTokens)),
  cost: Math.min(limits.usageCost, a.cost + b.cost),
})

const notApproved = (tool: string, reason: string): ReplayContractError => {
  const detail = reason === "approval_timeout" ? "nobody approved it in time." : `its approval was refused: ${reason}.`
  return new ReplayContractError([{ tool, path: null, operator: "checkpoint", code: "approval_rejected", detail }])
}
