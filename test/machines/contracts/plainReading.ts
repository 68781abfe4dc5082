/**
 * The contract rules as docs/definitions.md tells them, read naively: over the whole history, for every call again.
 *
 * It shares nothing with the engine but the files' JSON. It is slow, keeps everything, and has no state to get wrong.
 */
import { isDeepStrictEqual } from "node:util"

export interface TestJson {
  readonly path: string
  readonly exists?: boolean
  readonly type?: string
  readonly equals?: unknown
  readonly one_of?: ReadonlyArray<unknown>
  readonly contains?: unknown
  readonly regex?: string
  readonly gte?: number
  readonly lte?: number
  readonly length_gte?: number
  readonly length_lte?: number
}

export interface ToolJson {
  readonly tool: string
  readonly side_effect: string
  /** Micro-units. */
  readonly estimate: number | null
  readonly gate?: "allow" | "block"
  readonly checkpoint?: boolean
  readonly transitions?: { readonly valid_in_phases?: ReadonlyArray<string>; readonly advances_to?: string }
  readonly preconditions?: ReadonlyArray<{
    readonly requires_prior_tool: string
    readonly with_output?: ReadonlyArray<TestJson>
  }>
  readonly forbids_after?: ReadonlyArray<string>
  readonly argument_value_invariants?: ReadonlyArray<TestJson>
}

export interface SessionJson {
  readonly phases?: ReadonlyArray<{ readonly name: string; readonly initial?: boolean; readonly terminal?: boolean }>
  readonly transitions?: Readonly<Record<string, ReadonlyArray<string>>>
  readonly session_limits?: {
    readonly max_steps?: number
    readonly max_tool_calls?: number
    /** Whole units of the currency here. */
    readonly max_cost_per_session?: number
    readonly max_calls_per_tool?: Readonly<Record<string, number>>
    readonly loop_detection?: { readonly window: number; readonly threshold: number }
    readonly circuit_breaker?: { readonly consecutive_blocks?: number; readonly consecutive_errors?: number }
  }
  readonly risk_defaults?: Readonly<Record<string, "allow" | "block">>
}

export interface ContractsJson {
  readonly session: SessionJson
  readonly tools: ReadonlyArray<ToolJson>
  /** Micro-units. */
  readonly defaultCost: number | null
}

export type Entry =
  | { readonly what: "judged"; readonly tool: string; readonly args: unknown; readonly allowed: boolean }
  | { readonly what: "admitted"; readonly id: string; readonly tool: string; readonly estimate: number | undefined }
  | {
      readonly what: "committed"
      readonly id: string
      readonly output: unknown
      readonly actual: number | undefined
    }
  | { readonly what: "aborted" | "unknown"; readonly id: string; readonly threw: boolean }
  | { readonly what: "usage"; readonly cost: number }

export interface PlainCall {
  readonly tool: string
  readonly args: unknown
  readonly estimate: number | undefined
}

export interface PlainOptions {
  readonly unmatched: "allow" | "block"
  readonly checkpoints: "hold" | "unavailable"
}

interface Step {
  readonly id: string
  readonly tool: string
  readonly estimate: number
  /** Where its commit leads, if it leads out of the phase in which it was admitted. */
  readonly leadsTo: string | undefined
  end: "none" | "committed" | "aborted"
  erred: boolean
  output: unknown
  settled: number
}

interface Story {
  readonly phase: string | undefined
  /** In the order of their admission. */
  readonly steps: ReadonlyArray<Step>
  /** In the order of their commits. */
  readonly commits: ReadonlyArray<Step>
  readonly usage: number
  readonly trip: string | undefined
}

const contractOf = (contracts: ContractsJson, tool: string): ToolJson | undefined =>
  contracts.tools.find((each) => each.tool === tool)

const estimateOf = (contracts: ContractsJson, tool: string, own: number | undefined): number | null =>
  own ?? contractOf(contracts, tool)?.estimate ?? contracts.defaultCost

/** All that happened, told from the beginning. */
const storyOf = (contracts: ContractsJson, history: ReadonlyArray<Entry>): Story => {
  let phase = contracts.session.phases?.find((each) => each.initial)?.name
  const breaker = contracts.session.session_limits?.circuit_breaker ?? {}
  const steps: Array<Step> = []
  const commits: Array<Step> = []
  let [usage, blocks, errors] = [0, 0, 0]
  let trip: string | undefined
  const openStep = (id: string) => steps.find((step) => step.id === id && step.end === "none")
  for (const entry of history) {
    if (entry.what === "judged") blocks = entry.allowed ? 0 : blocks + 1
    else if (entry.what === "usage") usage += entry.cost
    else if (entry.what === "admitted") {
      if (openStep(entry.id) !== undefined) continue
      const to = contractOf(contracts, entry.tool)?.transitions?.advances_to
      steps.push({
        id: entry.id,
        tool: entry.tool,
        estimate: estimateOf(contracts, entry.tool, entry.estimate) ?? 0,
        leadsTo: to === phase ? undefined : to,
        end: "none",
        erred: false,
        output: undefined,
        settled: 0,
      })
    } else {
      const step = openStep(entry.id)
      if (step === undefined) continue
      if (entry.what === "committed") {
        step.end = "committed"
        step.output = entry.output
        step.settled = entry.actual ?? step.estimate
        commits.push(step)
        if (step.leadsTo !== undefined) phase = step.leadsTo
        errors = 0
      } else {
        if (entry.what === "aborted") step.end = "aborted"
        if (entry.threw && !step.erred) {
          step.erred = true
          errors += 1
        }
      }
    }
    if (trip === undefined && breaker.consecutive_blocks !== undefined && blocks >= breaker.consecutive_blocks)
      trip = `consecutive_blocks ${blocks}`
    if (trip === undefined && breaker.consecutive_errors !== undefined && errors >= breaker.consecutive_errors)
      trip = `consecutive_errors ${errors}`
  }
  return { phase, steps, commits, usage, trip }
}

export const plainTrip = (contracts: ContractsJson, history: ReadonlyArray<Entry>): string | undefined =>
  storyOf(contracts, history).trip

export const plainPhase = (contracts: ContractsJson, history: ReadonlyArray<Entry>): string | undefined =>
  storyOf(contracts, history).phase

/** The failures of each call of an answer, as `code path operator`. */
export const plainVerdicts = (
  contracts: ContractsJson,
  history: ReadonlyArray<Entry>,
  calls: ReadonlyArray<PlainCall>,
  options: PlainOptions,
): ReadonlyArray<ReadonlyArray<string>> => {
  const [call, ...others] = calls
  if (call === undefined) return []
  const failures = failuresOf(contracts, history, call, options)
  const allowed = failures.length === 0
  const judged: Entry = { what: "judged", tool: call.tool, args: call.args, allowed }
  const step: Entry = { what: "admitted", id: `sibling ${calls.length}`, tool: call.tool, estimate: call.estimate }
  const after = allowed ? [...history, judged, step] : [...history, judged]
  return [failures, ...plainVerdicts(contracts, after, others, options)]
}

const failuresOf = (
  contracts: ContractsJson,
  history: ReadonlyArray<Entry>,
  call: PlainCall,
  options: PlainOptions,
): ReadonlyArray<string> => {
  const { session } = contracts
  const contract = contractOf(contracts, call.tool)
  const { phase, steps, commits, usage } = storyOf(contracts, history)
  const open = steps.filter((step) => step.end === "none")
  const failures: Array<string> = []
  const fail = (code: string, operator: string | null, path: string | null = null) =>
    failures.push(`${code} ${path} ${operator}`)

  if (contract === undefined && options.unmatched === "block") fail("no_contract", null)
  if (contract?.gate === "block") fail("gate_blocked", "gate")
  if (contract !== undefined && contract.gate === undefined)
    if (session.risk_defaults?.[contract.side_effect] === "block") fail("risk_blocked", "risk_defaults")

  const validIn = contract?.transitions?.valid_in_phases
  if (validIn !== undefined && !validIn.some((each) => each === phase)) fail("phase_blocked", "valid_in_phases")
  const isTerminal = session.phases?.find((each) => each.name === phase)?.terminal === true
  if (isTerminal && contract?.side_effect !== "read" && !validIn?.some((each) => each === phase))
    fail("phase_terminal", "terminal")
  const to = contract?.transitions?.advances_to
  if (to !== undefined && to !== phase) {
    if (!session.transitions?.[phase ?? ""]?.includes(to)) fail("transition_not_allowed", "advances_to")
    if (open.some((step) => step.leadsTo !== undefined)) fail("transition_pending", "advances_to")
  }

  for (const { requires_prior_tool: prior, with_output: tests } of contract?.preconditions ?? []) {
    const outputs = commits.filter((step) => step.tool === prior).map((step) => step.output)
    if (outputs.some((output) => failedTests(tests ?? [], output).length === 0)) continue
    const [first] = outputs.length === 0 ? [] : failedTests(tests ?? [], outputs.at(-1))
    fail("precondition_failed", first?.operator ?? "requires_prior_tool", first?.path ?? null)
  }
  for (const other of new Set(contract?.forbids_after))
    if (steps.some((step) => step.tool === other && step.end !== "aborted")) fail("forbidden_after", "forbids_after")
  for (const { path, operator } of failedTests(contract?.argument_value_invariants ?? [], call.args))
    fail("invariant_failed", operator, path)

  const limits = session.session_limits ?? {}
  const kept = steps.filter((step) => step.end !== "aborted")
  if (limits.max_steps !== undefined && kept.length + 1 > limits.max_steps) fail("session_limit_exceeded", "max_steps")
  if (limits.max_tool_calls !== undefined && steps.length + 1 > limits.max_tool_calls)
    fail("session_limit_exceeded", "max_tool_calls")
  const ofTool = limits.max_calls_per_tool?.[call.tool]
  if (ofTool !== undefined && steps.filter((step) => step.tool === call.tool).length + 1 > ofTool)
    fail("session_limit_exceeded", "max_calls_per_tool")
  if (limits.max_cost_per_session !== undefined) {
    const estimate = estimateOf(contracts, call.tool, call.estimate)
    const spent = usage + kept.reduce((sum, step) => sum + (step.end === "none" ? step.estimate : step.settled), 0)
    if (estimate === null) fail("cost_unknown", "max_cost_per_session")
    else if (spent + estimate > limits.max_cost_per_session * 1e6)
      fail("session_limit_exceeded", "max_cost_per_session")
  }
  if (limits.loop_detection !== undefined) {
    const { window, threshold } = limits.loop_detection
    const judged = [...history.flatMap((entry) => (entry.what === "judged" ? [entry] : [])), call]
    const equal = judged
      .slice(-window)
      .filter((each) => each.tool === call.tool && isDeepStrictEqual(each.args, call.args))
    if (equal.length >= threshold) fail("loop_detected", "loop_detection")
  }
  if (contract?.checkpoint === true && options.checkpoints === "unavailable") fail("approval_unavailable", "checkpoint")
  return failures
}

const operators = [
  "exists",
  "type",
  "equals",
  "one_of",
  "contains",
  "regex",
  "gte",
  "lte",
  "length_gte",
  "length_lte",
] as const

const failedTests = (tests: ReadonlyArray<TestJson>, whole: unknown) =>
  tests.flatMap((test) =>
    operators
      .filter((operator) => test[operator] !== undefined && !holds(operator, test, at(whole, test.path)))
      .map((operator) => ({ path: test.path, operator })),
  )

const at = (whole: unknown, path: string): unknown => {
  let here: unknown = whole
  for (const name of path.match(/[^$.[\]]+/g) ?? []) {
    if (Array.isArray(here) && /^\d+$/.test(name)) here = here[Number(name)]
    else if (here !== null && typeof here === "object" && !Array.isArray(here))
      here = new Map<string, unknown>(Object.entries(here)).get(name)
    else return undefined
  }
  return here
}

const holds = (operator: (typeof operators)[number], test: TestJson, value: unknown): boolean => {
  if (operator === "exists") return test.exists === (value !== undefined)
  if (value === undefined) return false
  if (operator === "equals") return isDeepStrictEqual(value, test.equals)
  if (operator === "one_of") return (test.one_of ?? []).some((each) => isDeepStrictEqual(value, each))
  if (operator === "type") {
    const kind = value === null ? "null" : Array.isArray(value) ? "array" : typeof value
    return kind === test.type || (test.type === "integer" && kind === "number" && Number(value) % 1 === 0)
  }
  if (operator === "contains") {
    if (Array.isArray(value)) return value.some((each) => isDeepStrictEqual(each, test.contains))
    return typeof value === "string" && typeof test.contains === "string" && value.indexOf(test.contains) >= 0
  }
  if (operator === "regex") return typeof value === "string" && value.match(test.regex ?? "") !== null
  if (operator === "gte") return typeof value === "number" && value >= (test.gte ?? 0)
  if (operator === "lte") return typeof value === "number" && value <= (test.lte ?? 0)
  const length = typeof value === "string" || Array.isArray(value) ? value.length : undefined
  if (length === undefined) return false
  return operator === "length_gte" ? length >= (test.length_gte ?? 0) : length <= (test.length_lte ?? 0)
}
