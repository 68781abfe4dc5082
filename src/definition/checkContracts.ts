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
