/**
 * Limits that no run can satisfy (errors), that stop what the definition is for, or that do nothing (warnings).
 *
 * An error only where it is certain: every run of the role or the handoff would be refused.
 */
import type { Definition, LimitName } from "../machines/definition.ts"
import { fromMicros } from "../machines/ids.ts"
import type { PlaceOf } from "./checkDefinition.ts"
import { depthsOf, targetsOf } from "./checkGraph.ts"
import type { Report } from "./Diagnostic.ts"
import { quoted } from "./tree.ts"

const keys: Readonly<Record<LimitName, string>> = {
  maxSessions: "max_sessions",
  maxActiveSessions: "max_active_sessions",
  maxSteps: "max_steps",
  maxCost: "max_cost",
  maxTokens: "max_tokens",
  maxOpenHandoffs: "max_open_handoffs",
  maxDepth: "max_depth",
  maxDurationMs: "max_duration",
}
const limitNames = [
  "maxSessions",
  "maxActiveSessions",
  "maxSteps",
  "maxCost",
  "maxTokens",
  "maxOpenHandoffs",
  "maxDepth",
] as const

export const checkLimits = (definition: Definition, at: PlaceOf, report: Report): void => {
  checkWorkflowLimits(definition, at, report)
  checkRoleLimits(definition, at, report)
  checkPrices(definition, at, report)
}

const checkWorkflowLimits = ({ limits, handoffs }: Definition, at: PlaceOf, report: Report): void => {
  const unsatisfiable = (name: LimitName, why: string): void =>
    report("unsatisfiable_limit", at(["limits", name]), `${keys[name]} is ${limits[name]}: ${why}`)
  const hasEdges = handoffs.length > 0
  for (const name of ["maxSessions", "maxActiveSessions", "maxDurationMs"] as const) {
    if (limits[name] === 0) unsatisfiable(name, "not even the root session can live")
  }
  if (hasEdges) {
    for (const name of ["maxSessions", "maxActiveSessions"] as const) {
      if (limits[name] === 1) unsatisfiable(name, "the root session takes it, and no handoff can ever be claimed")
    }
    for (const name of ["maxDepth", "maxOpenHandoffs"] as const) {
      if (limits[name] === 0) unsatisfiable(name, "no handoff can ever be offered")
    }
  }
  if (limits.maxSteps !== 0) return
  if (handoffs.some((edge) => edge.completion === "requires_progress")) {
    unsatisfiable("maxSteps", "a handoff that requires progress can never complete")
  } else report("blocking_limit", at(["limits", "maxSteps"]), "max_steps is 0: no step is ever admitted")
}

const checkRoleLimits = (definition: Definition, at: PlaceOf, report: Report): void => {
  const targets = targetsOf(definition)
  const depths = depthsOf(definition, targets)
  const reached = new Set(definition.handoffs.map((edge) => edge.to))
  const progressing = new Set(
    definition.handoffs.filter((edge) => edge.completion === "requires_progress").map((edge) => edge.to),
  )
  definition.roles.forEach(({ name: role, limits }, index) => {
    const place = (name: LimitName) => at(["roles", index, "limits", name])
    const unsatisfiable = (name: LimitName, why: string): void =>
      report("unsatisfiable_limit", place(name), `${keys[name]} of ${quoted(role)} is ${limits[name]}: ${why}`)
    for (const name of ["maxSessions", "maxActiveSessions"] as const) {
      if (limits[name] === 0) unsatisfiable(name, "no session can ever take this role")
    }
    if (limits.maxOpenHandoffs === 0 && reached.has(role))
      unsatisfiable("maxOpenHandoffs", "no handoff can ever be offered to this role")
    const depth = depths.get(role)
    if (limits.maxDepth !== null && depth !== undefined && depth > limits.maxDepth) {
      unsatisfiable("maxDepth", `the role is ${depth} handoffs away from a root`)
    }
    // A role that only delegates makes progress through its descendants.
    if (limits.maxSteps === 0 && targets.get(role)?.size === 0) {
      if (progressing.has(role))
        unsatisfiable("maxSteps", "a handoff to this role requires progress and can never complete")
      else report("blocking_limit", place("maxSteps"), `max_steps of ${quoted(role)} is 0: no step is ever admitted`)
    }
    for (const name of limitNames) {
      const own = limits[name]
      const whole = definition.limits[name]
      if (own === null || whole === null || own <= whole) continue
      const [ownText, wholeText] = name === "maxCost" ? [fromMicros(own), fromMicros(whole)] : [own, whole]
      report(
        "limit_without_effect",
        place(name),
        `${keys[name]} of ${quoted(role)} is ${ownText}, but that of the workflow is ${wholeText}, which is stricter`,
      )
    }
  })
}

/** Estimates against the limits that they must fit, and calls whose price nothing says. */
const checkPrices = (definition: Definition, at: PlaceOf, report: Report): void => {
  definition.roles.forEach((role, index) => {
    const caps = [role.limits.maxCost, definition.limits.maxCost].filter((cap) => cap !== null)
    if (caps.length === 0) return
    const cap = Math.min(...caps)
    const { defaultCost } = role
    if (defaultCost !== null && defaultCost > cap) {
      const message = `default_cost of ${quoted(role.name)} is ${fromMicros(defaultCost)}, but its max_cost is ${fromMicros(cap)}`
      report("unsatisfiable_limit", at(["roles", index, "defaultCost"]), message)
    }
    role.tools.forEach((tool, t) => {
      if (tool.estimate !== null && tool.estimate > cap) {
        const message = `the estimate of ${quoted(tool.tool)} is ${fromMicros(tool.estimate)}, but max_cost is ${fromMicros(cap)}`
        report("unsatisfiable_limit", at(["roles", index, "tools", t, "estimate"]), message)
      }
      if (tool.estimate !== null || defaultCost !== null) return
      const name = quoted(tool.tool)
      const message = `max_cost is set, but nothing says what ${name} costs: a call without its own estimate is refused`
      report(
        "unknown_price",
        at(["roles", index, "tools", t, "tool"]),
        message,
        () => "add `cost: { estimate: … }`, or `default_cost` to the role",
      )
    })
  })
}
