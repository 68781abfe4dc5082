/**
 * What does not fit together in a definition: names that nothing declares, or that are declared twice.
 *
 * It reads the compiled form, so that workflow.yaml and a compiled artifact pass the very same checks.
 */
import type { Definition, Edge } from "../machines/definition.ts"
import { checkGraph } from "./checkGraph.ts"
import { checkLimits } from "./checkLimits.ts"
import type { Locate, Report } from "./Diagnostic.ts"
import { didYouMean } from "./suggest.ts"
import { compileSchema } from "./summarySchema.ts"
import { type Path, quoted } from "./tree.ts"

/** The place of a value of the definition, by its path. */
export type PlaceOf = (path: Path) => Locate

/** `hasAllEdges` is false where an edge could not be read: no role is then said to be unreachable. */
export const checkDefinition = (definition: Definition, at: PlaceOf, report: Report, hasAllEdges = true): void => {
  checkRoles(definition, at, report)
  checkEdges(definition, at, report)
  checkResources(definition, at, report)
  checkBindings(definition, at, report)
  checkGraph(definition, at, report, hasAllEdges)
  checkLimits(definition, at, report)
}

const checkRoles = ({ roles }: Definition, at: PlaceOf, report: Report): void => {
  if (roles.length === 0) report("no_root", at(["roles"]), "a workflow needs at least one role")
  else if (!roles.some((role) => role.root))
    report("no_root", at(["roles"]), "no role is a root, so no session can start", () => "write `root: true` on one")
  reportRepeats(
    roles.map((role) => role.name),
    (index) => at(["roles", index, "name"]),
    "role",
    report,
  )
  roles.forEach((role, index) => {
    reportRepeats(
      role.tools.map((tool) => tool.tool),
      (tool) => at(["roles", index, "tools", tool, "tool"]),
      "tool",
      report,
    )
    if (role.limits.maxDurationMs === null) return
    report(
      "role_max_duration",
      at(["roles", index, "limits", "maxDurationMs"]),
      "max_duration is a limit of the workflow; a role has none",
      () => "move it to the workflow's `limits`",
    )
  })
}

const checkEdges = (definition: Definition, at: PlaceOf, report: Report): void => {
  const names = new Set(definition.roles.map((role) => role.name))
  const seen = new Set<string>()
  definition.handoffs.forEach((edge, index) => {
    for (const end of ["from", "to"] as const) {
      if (names.has(edge[end])) continue
      report("unknown_role", at(["handoffs", index, end]), `no role is named ${quoted(edge[end])}`, () =>
        didYouMean(edge[end], names),
      )
    }
    const key = `${edge.from}\u0000${edge.to}`
    if (seen.has(key))
      report(
        "duplicate_edge",
        at(["handoffs", index]),
        `the handoff from ${quoted(edge.from)} to ${quoted(edge.to)} is declared twice`,
      )
    seen.add(key)
    checkSchema(edge, ["handoffs", index, "summarySchema"])
  })

  function checkSchema(edge: Edge, path: Path): void {
    const compiled = edge.summarySchema === null ? undefined : compileSchema(edge.summarySchema)
    if (compiled === undefined || compiled.ok) return
    for (const problem of compiled.problems)
      report("invalid_schema", at([...path, ...problem.path]), `summary_schema: ${problem.message}`)
  }
}

const checkResources = ({ resources }: Definition, at: PlaceOf, report: Report): void => {
  reportRepeats(
    resources.map((resource) => resource.name),
    (index) => at(["resources", index, "name"]),
    "resource",
    report,
  )
  resources.forEach((resource, index) => {
    if (resource.unresolved === "release" && resource.pendingTimeoutMs === null) {
      report(
        "pending_timeout_required",
        at(["resources", index, "unresolved"]),
        "`unresolved: release` needs a pending_timeout: it says when",
        () => "add for example `pending_timeout: 15m`",
      )
    }
    if (resource.unresolved === "hold" && resource.pendingTimeoutMs !== null) {
      report(
        "pending_timeout_unused",
        at(["resources", index, "pendingTimeoutMs"]),
        "pending_timeout has no effect while the resource is held",
        () => "add `unresolved: release`, or leave pending_timeout out",
      )
    }
  })
}

/** Bindings name declared resources; declared resources are bound, once there is a contract that could. */
const checkBindings = (definition: Definition, at: PlaceOf, report: Report): void => {
  const declared = new Set(definition.resources.map((resource) => resource.name))
  const bound = new Set<string>()
  let hasTools = false
  definition.roles.forEach((role, r) => {
    role.tools.forEach((tool, t) => {
      hasTools = true
      const seen = new Set<string>()
      tool.resources.forEach((binding, b) => {
        const place = at(["roles", r, "tools", t, "resources", b, "name"])
        bound.add(binding.name)
        if (!declared.has(binding.name)) {
          report("unknown_resource", place, `workflow.yaml declares no resource ${quoted(binding.name)}`, () =>
            didYouMean(binding.name, declared),
          )
        }
        const key = JSON.stringify([binding.name, binding.key])
        if (seen.has(key))
          report("duplicate_name", place, `the tool binds ${quoted(binding.name)} twice with the same key`)
        seen.add(key)
      })
    })
  })
  // A binding that misspells a resource is one mistake, not two.
  if (!hasTools || [...bound].some((name) => !declared.has(name))) return
  definition.resources.forEach((resource, index) => {
    if (bound.has(resource.name)) return
    report(
      "unbound_resource",
      at(["resources", index, "name"]),
      `no tool contract binds the resource ${quoted(resource.name)}`,
    )
  })
}

const reportRepeats = (
  names: ReadonlyArray<string>,
  at: (index: number) => Locate,
  what: string,
  report: Report,
): void => {
  const seen = new Set<string>()
  names.forEach((name, index) => {
    if (seen.has(name)) report("duplicate_name", at(index), `the ${what} ${quoted(name)} is declared twice`)
    seen.add(name)
  })
}
