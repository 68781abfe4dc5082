/**
 * How the state of a session's rules changes with what happens to its calls and steps.
 *
 * Every outcome is counted once: an outcome of a step that is not unresolved changes nothing.
 */
import type { Micros } from "../ids.ts"
import type { Breaker, ContractRules } from "./ContractRules.ts"
import type { ContractState, PreconditionFact, Trip, UnresolvedStep } from "./ContractState.ts"
import { failedTests } from "./valueTests.ts"

/**
 * What happened. A step that is admitted while it is unresolved, and an outcome of a step that is not, change nothing, so what
 * is told of a step may be told again after a crash.
 *
 * - `judged`: the verdicts of one answer, in its order, as `judge` gave them.
 * - `admitted`: the call became a step: queued, awaiting approval or running. `estimatedCost` as in the call.
 * - `committed`: `output` is its result as JSON, undefined where it is not kept. Without `actualCost` the estimate is settled.
 * - `aborted`, `unknown`: `threw` where the tool ran and failed, and not where it never ran.
 * - `usage`: settled cost of a model call, in micro-units.
 */
export type ContractEvent =
  | {
      readonly type: "judged"
      readonly calls: ReadonlyArray<{ readonly allowed: boolean; readonly fingerprint: string }>
    }
  | {
      readonly type: "admitted"
      readonly stepId: string
      readonly tool: string
      readonly estimatedCost?: Micros | undefined
    }
  | {
      readonly type: "committed"
      readonly stepId: string
      readonly output?: unknown
      readonly actualCost?: Micros | undefined
    }
  | { readonly type: "aborted" | "unknown"; readonly stepId: string; readonly threw: boolean }
  | { readonly type: "usage"; readonly cost: Micros }

type Event<T extends ContractEvent["type"]> = Extract<ContractEvent, { readonly type: T }>

export const evolve = (rules: ContractRules, state: ContractState, event: ContractEvent): ContractState => {
  switch (event.type) {
    case "judged":
      return judged(rules, state, event.calls)
    case "admitted":
      return stepOf(state, event.stepId) === undefined ? admitted(rules, state, event) : state
    case "committed":
      return committed(rules, state, event)
    case "aborted":
    case "unknown":
      return failed(rules, state, event)
    case "usage":
      return { ...state, cost: sum(state.cost, event.cost) }
  }
}

/** The first trip of the circuit breaker, if it has tripped: the session is to be killed, and it says why. */
export const tripped = (state: ContractState): Trip | undefined => state.trip ?? undefined

/** The estimate that counts for a call, in micro-units; null where nobody gives one. */
export const estimateOf = (rules: ContractRules, tool: string, own: Micros | undefined): Micros | null =>
  own ?? rules.tool(tool)?.contract.estimate ?? rules.defaultCost

export const judged = (rules: ContractRules, state: ContractState, calls: Event<"judged">["calls"]): ContractState => {
  let { consecutiveBlocks, trip } = state
  for (const { allowed } of calls) {
    consecutiveBlocks = allowed ? 0 : consecutiveBlocks + 1
    trip ??= tripOf(rules.breaker, "consecutive_blocks", consecutiveBlocks)
  }
  return { ...state, recent: latest(rules, state.recent, calls), consecutiveBlocks, trip }
}

/** Of a window of n calls the last is the one that is judged, so n - 1 are remembered. */
const latest = (
  { limits: { loop } }: ContractRules,
  recent: ReadonlyArray<string>,
  calls: Event<"judged">["calls"],
): ReadonlyArray<string> => {
  if (loop === null) return recent
  const all = [...recent, ...calls.map(({ fingerprint }) => fingerprint)]
  return all.slice(Math.max(0, all.length - (loop.window - 1)))
}

const tripOf = (breaker: Breaker, operator: Trip["operator"], count: number): Trip | null => {
  const most = operator === "consecutive_blocks" ? breaker.consecutiveBlocks : breaker.consecutiveErrors
  return most !== null && count >= most ? { operator, count } : null
}

/** A call became a step. `stepId` is taken to be new. */
export const admitted = (
  rules: ContractRules,
  state: ContractState,
  { stepId, tool, estimatedCost }: Omit<Event<"admitted">, "type">,
): ContractState => {
  // A step that leads to the phase it is admitted in leads nowhere: should its commit come after that of a step that moves on,
  // it must not lead back.
  const target = rules.tool(tool)?.advancesTo ?? null
  const step: UnresolvedStep = {
    stepId,
    tool,
    advancesTo: target === state.phase ? null : target,
    estimate: estimateOf(rules, tool, estimatedCost) ?? 0,
    hasThrown: false,
  }
  const limited = rules.limits.maxCallsPerTool.get(tool)
  return {
    ...state,
    admittedCalls: state.admittedCalls + 1,
    unresolved: [...state.unresolved, step],
    callsPerTool:
      limited === undefined
        ? state.callsPerTool
        : state.callsPerTool.with(limited.slot, (state.callsPerTool[limited.slot] ?? 0) + 1),
  }
}

const committed = (
  rules: ContractRules,
  state: ContractState,
  { stepId, output, actualCost }: Event<"committed">,
): ContractState => {
  const step = stepOf(state, stepId)
  if (step === undefined) return state
  const slot = rules.slots.forbidding.get(step.tool)
  return {
    ...state,
    phase: step.advancesTo ?? state.phase,
    committedSteps: state.committedSteps + 1,
    cost: sum(state.cost, actualCost ?? step.estimate),
    unresolved: without(state, stepId),
    hasCommitted: slot === undefined ? state.hasCommitted : state.hasCommitted.with(slot, true),
    preconditions: tested(rules, state.preconditions, step.tool, output),
    consecutiveErrors: 0,
  }
}

/** What a commit of `tool` with this output says of the preconditions: a satisfied one stays so. */
const tested = (
  rules: ContractRules,
  facts: ReadonlyArray<PreconditionFact>,
  tool: string,
  output: unknown,
): ReadonlyArray<PreconditionFact> => {
  let now = facts
  for (const { slot, tests } of rules.slots.prior.get(tool) ?? []) {
    if (now[slot]?.isSatisfied === true) continue
    const first = failedTests(tests, output)[0]
    const failure = first === undefined ? null : { path: first.path, operator: first.operator }
    now = now.with(slot, { isSatisfied: failure === null, failed: failure })
  }
  return now
}

const failed = (
  rules: ContractRules,
  state: ContractState,
  { type, stepId, threw }: Event<"aborted" | "unknown">,
): ContractState => {
  const step = stepOf(state, stepId)
  if (step === undefined) return state
  const consecutiveErrors = state.consecutiveErrors + (threw && !step.hasThrown ? 1 : 0)
  const still = { ...step, hasThrown: step.hasThrown || threw }
  return {
    ...state,
    unresolved:
      type === "aborted"
        ? without(state, stepId)
        : state.unresolved.map((each) => (each.stepId === stepId ? still : each)),
    consecutiveErrors,
    trip: state.trip ?? tripOf(rules.breaker, "consecutive_errors", consecutiveErrors),
  }
}

const stepOf = (state: ContractState, stepId: string): UnresolvedStep | undefined =>
  state.unresolved.find((step) => step.stepId === stepId)

const without = (state: ContractState, stepId: string): ReadonlyArray<UnresolvedStep> =>
  state.unresolved.filter((step) => step.stepId !== stepId)

/** Beyond 2^53 sums lose units; a session that spent as much stays there, above every limit. */
const sum = (a: Micros, b: Micros): Micros => Math.min(a + b, Number.MAX_SAFE_INTEGER)
