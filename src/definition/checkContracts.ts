/**
 * The contracts of one role against each other: phases that its session declares, tools that have a contract.
 */
import type { Report } from "./Diagnostic.ts"
import type { SessionFacts } from "./readSession.ts"
import type { ToolFacts } from "./readTool.ts"
import { didYouMean } from "./suggest.ts"
import { quoted } from "./tree.ts"

export interface ContractFacts {
  /** Undefined where the session contract was not given or could not be read: its phases are then not known to be wrong. */
  readonly session: SessionFacts | undefined
  readonly tools: ReadonlyArray<{ readonly name: string; readonly facts: ToolFacts }>
}

export const checkContracts = ({ session, tools }: ContractFacts, report: Report): void => {
  const names = new Set(tools.map((tool) => tool.name))
  for (const { facts } of tools) {
    for (const { value, at } of facts.tools) {
      if (!names.has(value))
        report("unknown_tool", at, `no tool contract of this role is named ${quoted(value)}`, () =>
          didYouMean(value, names),
        )
    }
    if (session === undefined) continue
    for (const { value, at } of facts.phases) {
      if (session.phases.has(value)) continue
      report("unknown_phase", at, `session.yaml has no phase named ${quoted(value)}`, () =>
        didYouMean(value, session.phases),
      )
    }
    checkTransition(facts, session, report)
  }
  // A tool may do without a contract, so this is no more than a warning; and without any contract it says nothing.
  if (names.size === 0) return
  for (const { value, at } of session?.limitedTools ?? []) {
    if (names.has(value)) continue
    report("uncontracted_tool", at, `max_calls_per_tool names ${quoted(value)}, which has no contract`, () =>
      didYouMean(value, names),
    )
  }
}

/** That some phase in which the tool may be called leads to where it leads. */
const checkTransition = (
  { advancesTo, validInPhases }: ToolFacts,
  { phases, transitions }: SessionFacts,
  report: Report,
): void => {
  // An unknown phase has its own message, and so have an empty list and a phase that nothing leads to.
  if (advancesTo === undefined || validInPhases === undefined || validInPhases.length === 0) return
  const to = advancesTo.value
  if (![to, ...validInPhases].every((phase) => phases.has(phase))) return
  if (![...transitions.values()].some((next) => next.has(to))) return
  if (validInPhases.some((from) => from === to || transitions.get(from)?.has(to) === true)) return
  report(
    "blocking_limit",
    advancesTo.at,
    `no transition leads to ${quoted(to)} from where the tool is valid: no call of it is ever allowed`,
  )
}
