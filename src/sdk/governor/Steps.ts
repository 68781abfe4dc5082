/**
 * The admitted calls of model turns that nobody has run yet, by the provider's call id and by what they call.
 *
 * The agent runs them with its governed tools, which look here before they ask for an admission of their own; or with its own
 * code, and then the next request tells the result. Bounded: the oldest are forgotten here and stay unresolved in the journal.
 */
import { canonicalJson } from "../../machines/canonical.ts"
import { limits } from "../limits.ts"
import type { Step } from "./Authority.ts"

export interface WaitingStep {
  readonly callId: string
  readonly step: Step
  /** What the call was judged with. */
  readonly input: unknown
  /** False where nothing of it is known to the authority. */
  readonly isGuarded: boolean
}

export class Steps {
  /** By step, oldest first: a provider may use the id of a call again, in the next answer or in the same one. */
  readonly #byStep = new Map<string, WaitingStep>()

  /** A step that is there already keeps its place. */
  add(waiting: WaitingStep): void {
    const { stepId } = waiting.step
    if (this.#byStep.size >= limits.waitingSteps && !this.#byStep.has(stepId)) {
      const [oldest] = this.#byStep.keys()
      if (oldest !== undefined) this.#byStep.delete(oldest)
    }
    this.#byStep.set(stepId, waiting)
  }

  /** Takes a step. */
  take(stepId: string): WaitingStep | undefined {
    const found = this.#byStep.get(stepId)
    this.#byStep.delete(stepId)
    return found
  }

  /** Those that wait for the call of an id, oldest first. They stay. */
  ofCall(callId: string): ReadonlyArray<WaitingStep> {
    if (this.#byStep.size === 0) return []
    return [...this.#byStep.values()].filter((waiting) => waiting.callId === callId)
  }

  /** Takes the oldest call of a tool with these arguments, whatever the order of their keys. */
  takeEqual(tool: string, input: unknown): WaitingStep | undefined {
    if (this.#byStep.size === 0) return undefined
    const key = keyOf(input)
    if (key === undefined) return undefined
    for (const [stepId, waiting] of this.#byStep) {
      if (waiting.step.tool !== tool || keyOf(waiting.input) !== key) continue
      this.#byStep.delete(stepId)
      return waiting
    }
    return undefined
  }

  /** Takes all of these steps. */
  takeAll(isMeant: (step: Step) => boolean): ReadonlyArray<WaitingStep> {
    const taken = [...this.#byStep.values()].filter(({ step }) => isMeant(step))
    for (const { step } of taken) this.#byStep.delete(step.stepId)
    return taken
  }
}

/** Undefined for what is no JSON: no model asked for it. */
const keyOf = (input: unknown): string | undefined => {
  try {
    // A tool that takes nothing is called with nothing, and by a model with an empty object.
    return input === undefined ? "{}" : canonicalJson(input)
  } catch {
    return undefined
  }
}
