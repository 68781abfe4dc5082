/**
 * What agents can do by the definition: which tools a role may call and what they bind, whom it may hand off to, what calls
 * cost, and how long the definition lets anything take.
 *
 * Where contracts say it, calls are those of the contracts; where a role has none, a call is invented that names a resource of
 * the definition. A tool that its contract or session.yaml blocks is never called, as the SDK never would.
 */

import { Schema } from "effect"
import type { Call } from "../../machines/commands.ts"
import type { Definition, Edge, Role, ToolContract } from "../../machines/definition.ts"
import { type Json, Name, type ResourceRef } from "../../machines/ids.ts"
import type { Rules } from "../../machines/rules.ts"
import type { Random } from "./Random.ts"
import type { CheckSettings } from "./settings.ts"

/** Ranges in micro-units or tokens, both ends included. */
type Range = readonly [min: number, max: number]

const isName = Schema.is(Name)
const inventedTool = "work"
const free: Range = [0, 0]

export interface RolePlan {
  readonly role: Role
  /** Tools that it may call; a role without contracts has an invented one. Empty where all are blocked. */
  readonly tools: ReadonlyArray<ToolContract | null>
  readonly edges: ReadonlyArray<Edge>
  /** What a call of unknown price is estimated at. */
  readonly cost: Range
  readonly tokens: Range
}

export class Plan {
  readonly definition: Definition
  readonly rules: Rules
  readonly roots: ReadonlyArray<string>
  /** Every timeout of the definition: what a slow agent sleeps through. */
  readonly timeouts: ReadonlyArray<number>
  readonly #roles: ReadonlyMap<string, RolePlan>
  /** Resources that no contract binds: somebody names them, or nobody would ever use them. */
  readonly #unbound: ReadonlyArray<string>

  constructor(rules: Rules, settings: CheckSettings) {
    const { definition } = rules
    this.definition = definition
    // What a summary says is between two agents: it is taken to fit its schema.
    this.rules = { ...rules, summaryProblems: () => undefined }
    this.roots = definition.roles.filter(({ root }) => root).map(({ name }) => name)
    this.timeouts = timeoutsOf(definition)
    const bound = new Set(
      definition.roles.flatMap(({ tools }) => tools.flatMap((tool) => tool.resources)).map(({ name }) => name),
    )
    this.#unbound = definition.resources.map(({ name }) => name).filter((name) => !bound.has(name))
    this.#roles = new Map(definition.roles.map((role) => [role.name, planOf(role, definition, settings)]))
  }

  role(name: string): RolePlan {
    const plan = this.#roles.get(name)
    if (plan === undefined) throw new Error(`the definition has no role ${name}`)
    return plan
  }

  /** A call of the role, without an estimate where the definition has one; undefined where the role can call nothing. */
  call(role: string, random: Random): Call | undefined {
    const plan = this.role(role)
    const contract = random.pick(plan.tools)
    if (contract === undefined) return undefined
    const named = this.#named(contract, random)
    const known = contract?.estimate ?? plan.role.defaultCost
    return {
      tool: contract?.tool ?? inventedTool,
      ...(contract === null ? {} : { arguments: argumentsOf(contract, random) }),
      ...(named === undefined ? {} : { resources: [named] }),
      ...(known === null && plan.cost[1] > 0 ? { estimatedCost: random.between(...plan.cost) } : {}),
      ...(plan.tokens[1] > 0 ? { estimatedTokens: random.between(...plan.tokens) } : {}),
    }
  }

  /** A resource that the caller names itself. */
  #named(contract: ToolContract | null, random: Random): ResourceRef | undefined {
    const names = contract === null ? this.definition.resources.map(({ name }) => name) : this.#unbound
    if (names.length === 0 || !random.chance(contract === null ? 75 : 40)) return undefined
    const name = random.pick(names)
    return name === undefined ? undefined : { name, key: keyOf("", random) }
  }
}

const planOf = (role: Role, definition: Definition, { cost }: CheckSettings): RolePlan => ({
  role,
  tools: role.tools.length === 0 ? [null] : role.tools.filter((tool) => isCallable(role, tool)),
  edges: definition.handoffs.filter(({ from }) => from === role.name),
  cost: cost ?? share(strictest(role.limits.maxCost, definition.limits.maxCost)),
  tokens: share(strictest(role.limits.maxTokens, definition.limits.maxTokens)),
})

const strictest = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.min(a, b)

/** A price that nobody told is taken to be a small part of what may be spent. */
const share = (max: number | null): Range =>
  max === null ? free : [Math.max(1, Math.floor(max / 200)), Math.max(1, Math.floor(max / 10))]

const isCallable = ({ session }: Role, { rest, sideEffect }: ToolContract): boolean => {
  if (rest.gate === "block") return false
  const risks = session?.risk_defaults
  const blocked =
    typeof risks === "object" &&
    risks !== null &&
    Object.entries(risks).some(([name, verdict]) => name === sideEffect && verdict === "block")
  return !blocked || rest.gate === "allow"
}

const timeoutsOf = ({ handoffs, resources, limits, preflightTimeoutMs }: Definition): ReadonlyArray<number> =>
  [
    ...handoffs.flatMap(({ claimTimeoutMs, offerTimeoutMs }) => [claimTimeoutMs, offerTimeoutMs]),
    ...resources.map(({ pendingTimeoutMs }) => pendingTimeoutMs),
    limits.maxDurationMs,
    preflightTimeoutMs,
  ].filter((ms) => ms !== null)

/** Few keys, so that agents meet; named after the argument that they come from. */
const keyOf = (path: string, random: Random): string => {
  const name = isName(path) ? path : "key"
  return `${name.slice(0, 100)}-${random.chance(85) ? 1 : 2}`
}

/** Arguments in which a contract's paths lead to keys. */
const argumentsOf = (contract: ToolContract, random: Random): Json => {
  const root: Record<string, Json> = {}
  const keys = new Map<string, string>()
  for (const { key } of contract.resources) {
    if ("constant" in key) continue
    const last = key.path.at(-1)
    if (last === undefined) continue
    let at = root
    for (const member of key.path.slice(0, -1)) at = childOf(at, member)
    const path = key.path.join(".")
    const value = keys.get(path) ?? keyOf(last, random)
    keys.set(path, value)
    at[last] = value
  }
  return root
}

const childOf = (parent: Record<string, Json>, member: string): Record<string, Json> => {
  const child: Record<string, Json> = {}
  const known = parent[member]
  if (typeof known === "object" && known !== null && !Array.isArray(known)) Object.assign(child, known)
  parent[member] = child
  return child
}
