/**
 * session.yaml: its shape, and that its phases hang together.
 *
 * It is kept as it is written; what the runtime rules of a later layer read is exactly what was checked here.
 */
import { bounds } from "./bounds.ts"
import type { Report } from "./Diagnostic.ts"
import { Fields, readEntries, readList } from "./Fields.ts"
import { didYouMean } from "./suggest.ts"
import { type Node, quoted } from "./tree.ts"
import {
  type Located,
  located,
  readAmount,
  readBoolean,
  readChoice,
  readCount,
  readName,
  readPositive,
  readText,
  readVersion,
} from "./values.ts"

/** What tool contracts of the same role are checked against. */
export interface SessionFacts {
  readonly phases: ReadonlySet<string>
  /** Phase → the phases that a step in it may lead to. */
  readonly transitions: ReadonlyMap<string, ReadonlySet<string>>
  /** The tools that `max_calls_per_tool` names. */
  readonly limitedTools: ReadonlyArray<Located<string>>
}

const allowOrBlock = readChoice(["allow", "block"])

export const readSession = (node: Node, report: Report): SessionFacts | undefined => {
  const known = ["schema_version", "agent", "phases", "transitions", "session_limits", "risk_defaults"] as const
  const fields = Fields.open(node, "session.yaml", known, report)
  if (fields === undefined) return undefined
  fields.require("schema_version", readVersion, "session.yaml")
  fields.require("agent", readName, "session.yaml")
  const phases = fields.get("phases", readList("phases", bounds.listItems, readPhase))
  const transitions = fields.get(
    "transitions",
    readEntries(
      "transitions",
      bounds.listItems,
      readList("a phase's transitions", bounds.listItems, located(readText)),
    ),
  )
  const limitedTools = fields.get("session_limits", readSessionLimits) ?? []
  fields.get("risk_defaults", readRiskDefaults)
  if (phases !== undefined || !fields.has("phases")) checkPhases(fields, phases, transitions ?? [], report)
  return {
    phases: new Set(phases?.map((phase) => phase.name)),
    transitions: new Map((transitions ?? []).map(({ key, value }) => [key, new Set(value.map((to) => to.value))])),
    limitedTools,
  }
}

interface Phase {
  readonly name: string
  readonly initial: boolean
  readonly terminal: boolean
  readonly node: Node
}

const readPhase = (node: Node, report: Report): Phase | undefined => {
  const fields = Fields.open(node, "a phase", ["name", "initial", "terminal"], report)
  const name = fields?.require("name", readName, "a phase")
  const initial = fields?.get("initial", readBoolean) ?? false
  const terminal = fields?.get("terminal", readBoolean) ?? false
  return name === undefined ? undefined : { name, initial, terminal, node }
}

interface Transition {
  readonly key: string
  readonly at: Located<string>["at"]
  readonly value: ReadonlyArray<Located<string>>
}

const checkPhases = (
  fields: Fields<"phases" | "transitions">,
  phases: ReadonlyArray<Phase> | undefined,
  transitions: ReadonlyArray<Transition>,
  report: Report,
): void => {
  const names = new Set<string>()
  for (const phase of phases ?? []) {
    if (names.has(phase.name))
      report("duplicate_name", phase.node.at, `the phase ${quoted(phase.name)} is declared twice`)
    names.add(phase.name)
  }
  const isKnown = ({ value, at }: Located<string>): boolean => {
    if (names.has(value)) return true
    report("unknown_phase", at, `no phase is named ${quoted(value)}`, () => didYouMean(value, names))
    return false
  }
  const next = new Map<string, ReadonlyArray<string>>()
  for (const { key, at, value } of transitions) {
    isKnown({ value: key, at })
    next.set(
      key,
      value.filter(isKnown).map((to) => to.value),
    )
  }
  if (phases === undefined) return
  const initial = phases.filter((phase) => phase.initial)
  if (initial.length === 0)
    report("initial_phase", fields.at("phases"), "no phase is `initial: true`; exactly one must be")
  for (const extra of initial.slice(1))
    report("initial_phase", extra.node.at, `${quoted(extra.name)} is a second initial phase; exactly one may be`)
  if (!phases.some((phase) => phase.terminal))
    report("terminal_phase", fields.at("phases"), "no phase is `terminal: true`; at least one must be")
  const start = initial[0]
  if (start === undefined) return
  const reached = new Set([start.name])
  for (const name of reached) for (const to of next.get(name) ?? []) reached.add(to)
  for (const phase of phases) {
    // A second initial phase has its own message.
    if (reached.has(phase.name) || phase.initial) continue
    report(
      "unreachable_phase",
      phase.node.at,
      `no transition leads from ${quoted(start.name)} to the phase ${quoted(phase.name)}`,
    )
  }
}

const readSessionLimits = (node: Node, report: Report): ReadonlyArray<Located<string>> | undefined => {
  const known = [
    "max_steps",
    "max_tool_calls",
    "max_cost_per_session",
    "max_calls_per_tool",
    "loop_detection",
    "circuit_breaker",
  ] as const
  const fields = Fields.open(node, "session_limits", known, report)
  if (fields === undefined) return undefined
  for (const key of ["max_steps", "max_tool_calls"] as const) {
    if (fields.get(key, readCount) === 0)
      report("blocking_limit", fields.at(key), `${key} is 0: no tool call of a session is ever admitted`)
  }
  fields.get("max_cost_per_session", readAmount)
  const perTool = fields.get("max_calls_per_tool", readEntries("max_calls_per_tool", bounds.listItems, readCount)) ?? []
  fields.get("loop_detection", readLoopDetection)
  fields.get("circuit_breaker", (inner, rep) => {
    const breaker = Fields.open(inner, "circuit_breaker", ["consecutive_blocks", "consecutive_errors"], rep)
    breaker?.get("consecutive_blocks", readPositive)
    breaker?.get("consecutive_errors", readPositive)
    return undefined
  })
  return perTool.map(({ key, at }) => ({ value: key, at }))
}

const readLoopDetection = (node: Node, report: Report): undefined => {
  const fields = Fields.open(node, "loop_detection", ["window", "threshold"], report)
  const window = fields?.require("window", readPositive, "loop_detection")
  const threshold = fields?.require("threshold", readPositive, "loop_detection")
  if (fields !== undefined && window !== undefined && window > bounds.loopWindow)
    report("out_of_range", fields.at("window"), `a window may be at most ${bounds.loopWindow} calls`)
  if (fields !== undefined && threshold === 1)
    report("blocking_limit", fields.at("threshold"), "threshold is 1: every call counts as a loop, so none is allowed")
  if (fields !== undefined && window !== undefined && threshold !== undefined && threshold > window) {
    report(
      "limit_without_effect",
      fields.at("threshold"),
      `a window of ${window} calls never holds ${threshold} equal ones`,
    )
  }
  return undefined
}

const readRiskDefaults = (node: Node, report: Report): undefined => {
  const risks = ["read", "write", "destructive", "admin", "financial"] as const
  const fields = Fields.open(node, "risk_defaults", risks, report)
  for (const risk of risks) fields?.get(risk, allowOrBlock)
  return undefined
}
