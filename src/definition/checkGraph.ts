/**
 * The graph of roles and handoffs: what nothing reaches, and what nothing bounds. A cycle is fine where a limit ends it.
 */
import type { Definition } from "../machines/definition.ts"
import type { PlaceOf } from "./checkDefinition.ts"
import type { Report } from "./Diagnostic.ts"
import { quoted } from "./tree.ts"

/** Handoff targets by role; edges that name an unknown role are left out. */
export const targetsOf = (definition: Definition): ReadonlyMap<string, ReadonlySet<string>> => {
  const targets = new Map(definition.roles.map((role) => [role.name, new Set<string>()]))
  for (const { from, to } of definition.handoffs) if (targets.has(to)) targets.get(from)?.add(to)
  return targets
}

/** The least depth at which a session of each role can live: a root's is 0. A role that nothing reaches is not in it. */
export const depthsOf = (
  definition: Definition,
  targets: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlyMap<string, number> => {
  const depths = new Map(definition.roles.filter((role) => role.root).map((role) => [role.name, 0]))
  // A Map walks what is added meanwhile, in order: breadth first.
  for (const [role, depth] of depths) {
    for (const to of targets.get(role) ?? []) if (!depths.has(to)) depths.set(to, depth + 1)
  }
  return depths
}

export const checkGraph = (definition: Definition, at: PlaceOf, report: Report, hasAllEdges: boolean): void => {
  const targets = targetsOf(definition)
  // An edge that misspells a role is one mistake, not two.
  const isWhole = hasAllEdges && definition.handoffs.every(({ from, to }) => targets.has(from) && targets.has(to))
  if (isWhole) checkReached(definition, targets, at, report)
  checkCycles(definition, targets, at, report)
}

const checkReached = (
  definition: Definition,
  targets: ReadonlyMap<string, ReadonlySet<string>>,
  at: PlaceOf,
  report: Report,
): void => {
  const depths = depthsOf(definition, targets)
  const maxDepth = definition.limits.maxDepth
  // Without a root everything is unreachable, which has its own message.
  if (depths.size === 0) return
  definition.roles.forEach(({ name }, index) => {
    const depth = depths.get(name)
    if (depth === undefined)
      report("unreachable_role", at(["roles", index, "name"]), `no handoff leads from a root role to ${quoted(name)}`)
    else if (maxDepth !== null && maxDepth > 0 && depth > maxDepth) {
      report(
        "unreachable_role",
        at(["roles", index, "name"]),
        `${quoted(name)} is ${depth} handoffs away from a root, but max_depth is ${maxDepth}`,
      )
    }
  })
}

/** One warning for each group of roles that hand to each other for ever. */
const checkCycles = (
  definition: Definition,
  targets: ReadonlyMap<string, ReadonlySet<string>>,
  at: PlaceOf,
  report: Report,
): void => {
  if (definition.limits.maxDepth !== null || definition.limits.maxSessions !== null) return
  const unbounded = new Set(
    definition.roles
      .filter(({ limits }) => limits.maxDepth === null && limits.maxSessions === null)
      .map((role) => role.name),
  )
  const reach = new Map([...unbounded].map((name) => [name, reachable(name, targets, unbounded)]))
  const told = new Set<string>()
  definition.handoffs.forEach(({ from, to }, index) => {
    if (told.has(from) || !unbounded.has(from) || !unbounded.has(to)) return
    if (to !== from && reach.get(to)?.has(from) !== true) return
    for (const name of unbounded)
      if (name === from || (reach.get(from)?.has(name) && reach.get(name)?.has(from))) told.add(name)
    report(
      "unbounded_cycle",
      at(["handoffs", index]),
      `${quoted(from)} can hand off to itself${to === from ? "" : ` by way of ${quoted(to)}`} without end`,
      () => "set `max_depth` or `max_sessions`",
    )
  })
}

const reachable = (
  start: string,
  targets: ReadonlyMap<string, ReadonlySet<string>>,
  within: ReadonlySet<string>,
): ReadonlySet<string> => {
  const reached = new Set<string>()
  const step = (from: string): void => {
    for (const to of targets.get(from) ?? []) if (within.has(to)) reached.add(to)
  }
  step(start)
  for (const name of reached) step(name)
  return reached
}
