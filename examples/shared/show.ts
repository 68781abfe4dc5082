/** How the examples show a workflow: the sessions as a tree, and what was spent of what was allowed. */
import type { WorkflowView } from "handrail"

export const treeOf = ({ sessions, workflow, status }: WorkflowView): string => {
  const below = (parent: string | null, indent: string): ReadonlyArray<string> =>
    sessions
      .filter(({ parentSessionId }) => parentSessionId === parent)
      .flatMap(({ sessionId, role, agent, handoffId, generation, status: state, reason }) => {
        const task = handoffId === null ? "" : `, ${handoffId} generation ${generation}`
        const why = reason === null ? "" : ` (${reason})`
        return [`${indent}${role} (${agent}${task}): ${state}${why}`, ...below(sessionId, `${indent}  `)]
      })
  return [`${workflow}: ${status}`, ...below(null, "  ")].join("\n")
}

/** Decimal money with four places. */
export const money = (amount: number | null): string => (amount === null ? "no limit" : amount.toFixed(4))

export const ledgerOf = ({ ledger, roles }: WorkflowView): string =>
  [["workflow", ledger] as const, ...Object.entries(roles)]
    .map(
      ([name, { cost, steps, tokens, sessions }]) =>
        `  ${name.padEnd(14)} cost ${money(cost.used)} of ${money(cost.max)}, ${tokens.used} tokens, ${steps.used} steps, ` +
        `${sessions.used} sessions`,
    )
    .join("\n")
