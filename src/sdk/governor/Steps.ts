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
  readonly #byCall = new Map<string, WaitingStep>()

  add(waiting: WaitingStep): void {
    if (this.#byCall.size >= limits.waitingSteps) {
      const [oldest] = this.#byCall.keys()
      if (oldest !== undefined) this.#byCall.delete(oldest)
    }
    this.#byCall.set(waiting.callId, waiting)
  }

  /** Takes the call of an id. */
  take(callId: string): WaitingStep | undefined {
    const found = this.#byCall.get(callId)
    this.#byCall.delete(callId)
    return found
  }

  /** Takes the oldest call of a tool with these arguments, whatever the order of their keys. */
  takeEqual(tool: string, input: unknown): WaitingStep | undefined {
    if (this.#byCall.size === 0) return undefined
    const key = keyOf(input)
    if (key === undefined) return undefined
    for (const [callId, waiting] of this.#byCall) {
      if (waiting.step.tool !== tool || keyOf(waiting.input) !== key) continue
      this.#byCall.delete(callId)
      return waiting
    }
    return undefined
  }

  /** Takes all of these steps. */
  takeAll(isMeant: (step: Step) => boolean): ReadonlyArray<WaitingStep> {
    const taken = [...this.#byCall.values()].filter(({ step }) => isMeant(step))
    for (const { callId } of taken) this.#byCall.delete(callId)
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
