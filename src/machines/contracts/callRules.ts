/**
 * The rules of one call, in the order in which their failures are listed: those before its arguments, those on them, and those
 * after.
 *
 * They write into `found` what blocks the call. `afterArguments` looks at arguments only through a fingerprint, and without one
 * finds what any arguments would fail.
 */
import { fromMicros, type Micros } from "../ids.ts"
import { type ContractFailure, type ContractFailureCode, shortened } from "./ContractFailure.ts"
import type { ContractRules, Precondition, ToolRules } from "./ContractRules.ts"
import type { ContractState } from "./ContractState.ts"
import { failedTests } from "./valueTests.ts"

export interface JudgeOptions {
  /** What happens to a tool without a contract. */
  readonly unmatched: "allow" | "block"
  /** `hold` where the control plane asks a person, `unavailable` where nobody can be asked. */
  readonly checkpoints: "hold" | "unavailable"
}

/** A tool, with all that its rules depend on beside the call itself. */
export interface Subject {
  readonly rules: ContractRules
  readonly state: ContractState
  readonly options: JudgeOptions
  readonly name: string
  /** Undefined where it has no contract. */
  readonly tool: ToolRules | undefined
}

type Found = Array<ContractFailure>

export const beforeArguments = (subject: Subject, found: Found): void => {
  permission(subject, found)
  phase(subject, found)
  if (subject.tool === undefined) return
  transition(subject, subject.tool, found)
  preconditions(subject, subject.tool, found)
  forbidden(subject, subject.tool, found)
}

export const onArguments = ({ name, tool }: Subject, args: unknown, found: Found): void => {
  if (tool === undefined) return
  for (const { path, operator, detail } of failedTests(tool.invariants, args))
    found.push({ tool: name, path, operator, code: "invariant_failed", detail })
}

/** `estimate` is null where nobody gives one, `fingerprint` undefined for a call of unknown arguments. */
export const afterArguments = (
  subject: Subject,
  estimate: Micros | null,
  fingerprint: string | undefined,
  found: Found,
): void => {
  counts(subject, found)
  cost(subject, estimate, found)
  loop(subject, fingerprint, found)
  if (subject.tool?.needsApproval === true && subject.options.checkpoints === "unavailable")
    block(
      found,
      subject,
      "approval_unavailable",
      "checkpoint",
      "A person has to approve it, and nobody can be asked here.",
    )
}

const block = (
  found: Found,
  { name }: Subject,
  code: ContractFailureCode,
  operator: string | null,
  detail: string,
): void => {
  found.push({ tool: name, path: null, operator, code, detail })
}

const permission = (subject: Subject, found: Found): void => {
  const { rules, tool, options } = subject
  const called = shortened(subject.name)
  if (tool === undefined) {
    if (options.unmatched === "block")
      block(found, subject, "no_contract", null, `${called} has no contract. Call another tool, or write one for it.`)
    return
  }
  const { sideEffect } = tool.contract
  if (tool.gate === "block")
    block(found, subject, "gate_blocked", "gate", `The contract of ${called} says gate: block. Call another tool.`)
  else if (tool.gate === null && rules.blockedRisks.has(sideEffect))
    block(
      found,
      subject,
      "risk_blocked",
      "risk_defaults",
      `session.yaml blocks ${sideEffect} tools by risk_defaults. Call another tool, or say gate: allow in its contract.`,
    )
}

const phase = (subject: Subject, found: Found): void => {
  const { rules, state, tool } = subject
  const valid = tool?.validInPhases ?? null
  if (valid !== null && (state.phase === null || !valid.has(state.phase)))
    block(
      found,
      subject,
      "phase_blocked",
      "valid_in_phases",
      `It may be called in ${phasesText(valid)}, and the session is in ${phaseText(state.phase)}.`,
    )
  if (state.phase === null || rules.phases?.terminal.has(state.phase) !== true) return
  // What has no contract is not known to read only.
  if (tool?.contract.sideEffect === "read" || valid?.has(state.phase) === true) return
  block(
    found,
    subject,
    "phase_terminal",
    "terminal",
    `The session is in ${phaseText(state.phase)}, which is terminal: only tools that read may be called.`,
  )
}

const transition = (subject: Subject, { advancesTo }: ToolRules, found: Found): void => {
  const { rules, state } = subject
  if (advancesTo === null || advancesTo === state.phase) return
  const next = state.phase === null ? undefined : rules.phases?.transitions.get(state.phase)
  if (next?.has(advancesTo) !== true)
    block(
      found,
      subject,
      "transition_not_allowed",
      "advances_to",
      `It leads to phase ${advancesTo}, and from ${phaseText(state.phase)} a step may lead to ${phasesText(next)}.`,
    )
  const pending = state.unresolved.find((step) => step.advancesTo !== null)
  if (pending !== undefined)
    block(
      found,
      subject,
      "transition_pending",
      "advances_to",
      `${shortened(pending.tool)} leads to phase ${pending.advancesTo} and has no outcome yet. Wait for it.`,
    )
}

const phaseText = (name: string | null): string => (name === null ? "no phase" : `phase ${name}`)

const phasesText = (names: ReadonlySet<string> = new Set()): string =>
  names.size === 0 ? "no phase" : `phase ${shortened([...names].join(", "))}`

const preconditions = (subject: Subject, tool: ToolRules, found: Found): void => {
  for (const precondition of tool.preconditions) {
    const fact = subject.state.preconditions[precondition.slot]
    if (fact === undefined || fact.isSatisfied) continue
    found.push({
      tool: subject.name,
      path: fact.failed?.path ?? null,
      operator: fact.failed?.operator ?? "requires_prior_tool",
      code: "precondition_failed",
      detail: `Call ${precondition.tool} first, and wait for its result${wantedOutput(precondition, fact.failed)}.`,
    })
  }
}

const wantedOutput = ({ tests }: Precondition, failed: { readonly path: string; readonly operator: string } | null) => {
  const demand = tests
    .find(({ path }) => path === failed?.path)
    ?.conditions.find(({ operator }) => operator === failed?.operator)?.demand
  return demand === undefined ? "" : `: ${failed?.path} of its output must ${demand}, and in the latest it did not`
}

const forbidden = (subject: Subject, tool: ToolRules, found: Found): void => {
  for (const { tool: other, slot } of tool.forbidsAfter) {
    const hasCommitted = subject.state.hasCommitted[slot] === true
    if (!hasCommitted && !subject.state.unresolved.some((step) => step.tool === other)) continue
    block(
      found,
      subject,
      "forbidden_after",
      "forbids_after",
      `It may not be called after ${other}, which ${hasCommitted ? "has been committed" : "has no outcome yet"}.`,
    )
  }
}

const counts = (subject: Subject, found: Found): void => {
  const { state, name } = subject
  const { maxSteps, maxToolCalls, maxCallsPerTool } = subject.rules.limits
  const limited = maxCallsPerTool.get(name)
  const full = (operator: string, used: number, most: number, of: string) => {
    if (used >= most)
      block(
        found,
        subject,
        "session_limit_exceeded",
        operator,
        `The session has had ${used} ${of}, and ${operator} is ${most}.`,
      )
  }
  if (maxSteps !== null) full("max_steps", state.committedSteps + state.unresolved.length, maxSteps, "steps")
  if (maxToolCalls !== null) full("max_tool_calls", state.admittedCalls, maxToolCalls, "calls")
  if (limited !== undefined)
    full("max_calls_per_tool", state.callsPerTool[limited.slot] ?? 0, limited.max, "calls of this tool")
}

const cost = (subject: Subject, estimate: Micros | null, found: Found): void => {
  const most = subject.rules.limits.maxCost
  if (most === null) return
  if (estimate === null) {
    const detail = "max_cost_per_session applies, and the call has no estimate. Give its contract a cost: { estimate }."
    block(found, subject, "cost_unknown", "max_cost_per_session", detail)
    return
  }
  const spent = subject.state.unresolved.reduce((sum, step) => sum + step.estimate, subject.state.cost)
  if (spent + estimate <= most) return
  block(
    found,
    subject,
    "session_limit_exceeded",
    "max_cost_per_session",
    `With its estimate of ${fromMicros(estimate)} on top of ${fromMicros(spent)}, the session would pass ` +
      `max_cost_per_session, ${fromMicros(most)}.`,
  )
}

const loop = (subject: Subject, fingerprint: string | undefined, found: Found): void => {
  const rule = subject.rules.limits.loop
  if (rule === null) return
  let times = 1
  for (const earlier of subject.state.recent) if (earlier === fingerprint) times += 1
  if (times < rule.threshold) return
  block(
    found,
    subject,
    "loop_detected",
    "loop_detection",
    `This very call was made ${times} times within ${rule.window} calls. Change its arguments or do something else.`,
  )
}
