/** How often and from which seed the properties run; a failure prints seed and path. */
import type { Parameters } from "fast-check"

const number = (name: string): number | undefined => {
  const value = Number(process.env[name])
  return process.env[name] === undefined || !Number.isFinite(value) ? undefined : value
}
export const scale = number("HANDRAIL_PROPERTY_RUNS") ?? 1

export const parameters = <T>(runs: number): Parameters<T> => {
  // CI repeats one seed, so that a red run means that the change is to blame; everywhere else each run looks somewhere new.
  const seed = number("HANDRAIL_PROPERTY_SEED") ?? (process.env.CI === "true" ? 20261123 : undefined)
  const path = process.env.HANDRAIL_PROPERTY_PATH
  return {
    numRuns: Math.max(1, Math.round(runs * scale)),
    interruptAfterTimeLimit: 540_000,
    markInterruptAsFailure: false,
    // Finding the next difference matters more than a short one while a rule is being written.
    endOnFailure: process.env.HANDRAIL_PROPERTY_SHRINK === "0",
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined ? {} : { path }),
  }
}
