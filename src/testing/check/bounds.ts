/** The bounds of a check, and what a definition itself bounds. */
import type { Definition } from "../../machines/definition.ts"

export const checkBounds = {
  /** Runs of one check. */
  runs: 10_000_000,
  /** Moves of one run before its agents are told to finish. */
  commands: 10_000,
  /** Histories that are tried while one finding's is made shorter. */
  shrinkTries: 3000,
  /** Findings that one check reports. */
  findings: 1000,
} as const

/** How many steps a workflow (or a role of it) can ever have, by `max_steps`; null where nothing bounds them. */
export const boundOfSteps = (definition: Definition, role: string | null): number | null => {
  const whole = definition.limits.maxSteps
  const least = (a: number | null, b: number | null): number | null =>
    a === null ? b : b === null ? a : Math.min(a, b)
  if (role !== null) return least(definition.roles.find(({ name }) => name === role)?.limits.maxSteps ?? null, whole)
  let sum: number | null = 0
  for (const { limits } of definition.roles)
    sum = sum === null || limits.maxSteps === null ? null : sum + limits.maxSteps
  return least(whole, sum)
}
