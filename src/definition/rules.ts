/**
 * The runtime form of an artifact: maps to look names up in, and validators compiled on first use.
 *
 * The artifact was checked when it was compiled, or by `fromArtifact`; a schema that does not compile here is a defect.
 */
import type { Artifact, Edge, ToolContract } from "../machines/definition.ts"
import type { Rules } from "../machines/rules.ts"
import { approvalMsOf } from "./checkpoint.ts"
import { compileSchema, type SummaryValidator } from "./summarySchema.ts"

export const makeRules = (artifact: Artifact): Rules => {
  const { definition, hash } = artifact
  const roles = new Map(definition.roles.map((role) => [role.name, role]))
  const tools = new Map(
    definition.roles.map((role) => [role.name, new Map(role.tools.map((tool) => [tool.tool, tool]))]),
  )
  const approvals = new Map<ToolContract, number | null>(
    definition.roles.flatMap((role) =>
      role.tools.flatMap((tool) =>
        tool.rest.checkpoint === undefined ? [] : [[tool, approvalMsOf(tool.rest.checkpoint)] as const],
      ),
    ),
  )
  const edges = new Map(definition.handoffs.map((edge) => [edgeKey(edge.from, edge.to), edge]))
  const resources = new Map(definition.resources.map((resource) => [resource.name, resource]))
  const validators = new Map<string, SummaryValidator>()

  const validatorOf = (edge: Edge): SummaryValidator => {
    const key = edgeKey(edge.from, edge.to)
    const known = validators.get(key)
    if (known !== undefined) return known
    const compiled = compileSchema(edge.summarySchema)
    if (!compiled.ok) throw new Error(`the summary schema of ${edge.from} to ${edge.to} does not compile`)
    validators.set(key, compiled.validate)
    return compiled.validate
  }

  return {
    hash,
    definition,
    role: (name) => roles.get(name),
    edge: (from, to) => edges.get(edgeKey(from, to)),
    resource: (name) => resources.get(name),
    tool: (role, tool) => tools.get(role)?.get(tool),
    approvalMs: (contract) => (approvals.size === 0 ? null : (approvals.get(contract) ?? null)),
    summaryProblems: (edge, summary) => (edge.summarySchema === null ? undefined : validatorOf(edge)(summary)),
  }
}

/** Names can't hold a NUL, so two edges never share a key. */
const edgeKey = (from: string, to: string): string => `${from}\u0000${to}`
