/**
 * The rules of one session, compiled from session.yaml and the tool contracts of its role.
 *
 * Everything that can be done once is done here: paths parsed, patterns compiled, names looked up, money converted. What a
 * session has to remember for a rule gets a slot, a place in an array of its state, so that the state is bounded by the
 * contracts and not by how long the session runs.
 */

import { canonicalJson } from "../canonical.ts"
import type { ToolContract } from "../definition.ts"
import { type Json, type Micros, toMicros } from "../ids.ts"
import { decodeSession, decodeToolRest, type SessionSource, type TestSource } from "./contractSchema.ts"
import { compileTest, type ValueTest } from "./valueTests.ts"

export interface Phases {
  readonly initial: string
  readonly terminal: ReadonlySet<string>
  /** Phase → the phases that a step in it may lead to. */
  readonly transitions: ReadonlyMap<string, ReadonlySet<string>>
}

/** `null` is no limit. */
export interface SessionLimits {
  readonly maxSteps: number | null
  readonly maxToolCalls: number | null
  /** In micro-units. */
  readonly maxCost: Micros | null
  /** Tool → calls, and the slot of their count. */
  readonly maxCallsPerTool: ReadonlyMap<string, { readonly max: number; readonly slot: number }>
  readonly loop: { readonly window: number; readonly threshold: number } | null
}

/** `null` never trips. */
export interface Breaker {
  readonly consecutiveBlocks: number | null
  readonly consecutiveErrors: number | null
}

/** A precondition; equal ones of several tools share a slot. */
export interface Precondition {
  readonly tool: string
  readonly tests: ReadonlyArray<ValueTest>
  readonly slot: number
}

export interface ToolRules {
  readonly contract: ToolContract
  readonly gate: "allow" | "block" | null
  /** True where a person approves each call before it runs. */
  readonly needsApproval: boolean
  /** Null where every phase will do. */
  readonly validInPhases: ReadonlySet<string> | null
  readonly advancesTo: string | null
  readonly preconditions: ReadonlyArray<Precondition>
  readonly forbidsAfter: ReadonlyArray<{ readonly tool: string; readonly slot: number }>
  readonly invariants: ReadonlyArray<ValueTest>
}

export interface ContractRules {
  /** The rules of a tool; undefined where it has no contract. */
  tool(name: string): ToolRules | undefined
  /** Null where session.yaml declares none. */
  readonly phases: Phases | null
  readonly limits: SessionLimits
  readonly breaker: Breaker
  /** The side effects that `risk_defaults` blocks. */
  readonly blockedRisks: ReadonlySet<string>
  /** The estimate of a call whose tool has none, in micro-units. */
  readonly defaultCost: Micros | null
  /** No verdict depends on what happened before, and nothing ever trips: there is no need to feed the state. */
  readonly isStateless: boolean
  /** What the state remembers, by slot. */
  readonly slots: Slots
}

export interface Slots {
  /** How many tools have a limit of their own. */
  readonly limited: number
  /** Tool → the slot that says whether it was ever committed; of tools that a `forbids_after` names. */
  readonly forbidding: ReadonlyMap<string, number>
  /** Tool → the preconditions that its commits may satisfy. */
  readonly prior: ReadonlyMap<string, ReadonlyArray<Precondition>>
  readonly preconditions: number
}

/**
 * `session` is session.yaml's JSON and `tools` are the compiled contracts, both as the definition's compiler validated
 * them. What is not valid, or is a rule that is not known here, throws: a rule is never dropped in silence. `defaultCost` is
 * the role's, in micro-units.
 */
export const compileContracts = (
  session: { readonly [key: string]: Json } | null,
  tools: ReadonlyArray<ToolContract>,
  defaultCost: Micros | null = null,
): ContractRules => {
  const source: Partial<SessionSource> = session === null ? {} : decodeSession(session)
  const slots = new SlotMaker()
  const rules = new Map(tools.map((contract) => [contract.tool, compileTool(contract, slots)]))
  const phases = compilePhases(source)
  const limits = compileLimits(source.session_limits ?? {})
  const breaker = compileBreaker(source.session_limits?.circuit_breaker ?? {})
  const made = slots.made(limits.maxCallsPerTool.size)
  return {
    tool: (name) => rules.get(name),
    phases,
    limits,
    breaker,
    blockedRisks: new Set(
      Object.entries(source.risk_defaults ?? {}).flatMap(([risk, says]) => (says === "block" ? [risk] : [])),
    ),
    defaultCost,
    isStateless:
      phases === null &&
      Object.values(limits).every((limit) => limit === null || limit === limits.maxCallsPerTool) &&
      Object.values(breaker).every((limit) => limit === null) &&
      made.limited + made.forbidding.size + made.preconditions === 0,
    slots: made,
  }
}

/** Gives each thing that the state has to remember its place. */
class SlotMaker {
  readonly #forbidding = new Map<string, number>()
  readonly #preconditions = new Map<string, Precondition>()

  forbidding(tool: string): number {
    const slot = this.#forbidding.get(tool) ?? this.#forbidding.size
    this.#forbidding.set(tool, slot)
    return slot
  }

  precondition(tool: string, tests: ReadonlyArray<TestSource>): Precondition {
    const key = canonicalJson([tool, tests])
    const made = this.#preconditions.get(key) ?? {
      tool,
      tests: tests.map(compileTest),
      slot: this.#preconditions.size,
    }
    this.#preconditions.set(key, made)
    return made
  }

  made(limited: number): Slots {
    const prior = new Map<string, Array<Precondition>>()
    for (const precondition of this.#preconditions.values())
      prior.set(precondition.tool, [...(prior.get(precondition.tool) ?? []), precondition])
    return { limited, forbidding: this.#forbidding, prior, preconditions: this.#preconditions.size }
  }
}

const compileTool = (contract: ToolContract, slots: SlotMaker): ToolRules => {
  const rest = decodeToolRest(contract.rest)
  const { valid_in_phases: validInPhases, advances_to: advancesTo } = rest.transitions ?? {}
  return {
    contract,
    gate: rest.gate ?? null,
    needsApproval: rest.checkpoint !== undefined && rest.checkpoint !== false,
    validInPhases: validInPhases === undefined ? null : new Set(validInPhases),
    advancesTo: advancesTo ?? null,
    preconditions: (rest.preconditions ?? []).map((each) =>
      slots.precondition(each.requires_prior_tool, each.with_output ?? []),
    ),
    forbidsAfter: [...new Set(rest.forbids_after)].map((tool) => ({ tool, slot: slots.forbidding(tool) })),
    invariants: (rest.argument_value_invariants ?? []).map(compileTest),
  }
}

const compilePhases = ({ phases, transitions }: Partial<SessionSource>): Phases | null => {
  const initial = phases?.find((phase) => phase.initial === true)
  if (phases === undefined || initial === undefined) return null
  return {
    initial: initial.name,
    terminal: new Set(phases.filter((phase) => phase.terminal === true).map((phase) => phase.name)),
    transitions: new Map(Object.entries(transitions ?? {}).map(([from, to]) => [from, new Set(to)])),
  }
}

type LimitsSource = NonNullable<SessionSource["session_limits"]>

const compileLimits = (source: LimitsSource): SessionLimits => ({
  maxSteps: source.max_steps ?? null,
  maxToolCalls: source.max_tool_calls ?? null,
  maxCost: source.max_cost_per_session === undefined ? null : toMicros(source.max_cost_per_session),
  maxCallsPerTool: new Map(
    Object.entries(source.max_calls_per_tool ?? {}).map(([tool, max], slot) => [tool, { max, slot }]),
  ),
  loop: source.loop_detection ?? null,
})

const compileBreaker = (source: NonNullable<LimitsSource["circuit_breaker"]>): Breaker => ({
  consecutiveBlocks: source.consecutive_blocks ?? null,
  consecutiveErrors: source.consecutive_errors ?? null,
})
