/**
 * Definitions to simulate: two to four roles, edges with cycles, every resource mode, leases of a few seconds, limits that are
 * sometimes tight. They are made from a number, few enough that their rules are compiled once for many runs.
 */
import { artifactOf, makeRules } from "../../definition/index.ts"
import { canonicalJson } from "../../machines/canonical.ts"
import {
  type Definition,
  type Edge,
  type Limits,
  noLimits,
  type Resource,
  type Role,
  type ToolContract,
} from "../../machines/definition.ts"
import type { Submission } from "../../runtime/Governance.ts"
import { Chance } from "./Chance.ts"

/** How many different definitions the runs share. */
const variety = 96
const unit = 1_000_000
const roleNames = ["lead", "dev", "ops", "qa"]
export const resourceKeys = ["a", "b"]

/** A definition as a new workflow is given it: its rules, compiled, and its text. */
export type Birth = NonNullable<Submission["birth"]>

export const birthOf = (definition: Definition): Birth => ({
  rules: makeRules(artifactOf(definition)),
  text: canonicalJson(definition),
})

const births = new Map<number, Birth>()

/** The definition of a run. */
export const drawBirth = (chance: Chance): Birth => {
  const number = chance.between(1, variety)
  const known = births.get(number)
  if (known !== undefined) return known
  const definition = makeDefinition(new Chance(number, "definition"))
  const birth = birthOf(withCheckpoints(definition, new Chance(number, "checkpoints")))
  births.set(number, birth)
  return birth
}

const makeDefinition = (chance: Chance): Definition => {
  const names = roleNames.slice(0, chance.between(2, roleNames.length))
  return {
    schemaVersion: "1.0",
    workflow: "simulated",
    roles: names.map((name, index) => role(chance, name, index)),
    handoffs: names.flatMap((from, f) =>
      names.flatMap((to, t) => (t === f + 1 || chance.chance(0.45) ? [edge(chance, from, to)] : [])),
    ),
    resources: [
      resource(chance, "env", "exclusive_pending"),
      resource(chance, "doc", "single_writer"),
      resource(chance, "line", "serial_only"),
    ],
    limits: {
      ...limits(chance, 0.3, 4),
      maxDurationMs: chance.chance(0.3) ? chance.among(6000, 15_000, 40_000) : null,
    },
    preflightTimeoutMs: chance.among(500, 3000, 600_000),
  }
}

/** Each limit is set with this probability; a role's are smaller than the workflow's. */
const limits = (chance: Chance, rate: number, scale: number): Limits => {
  const maybe = (low: number, high: number): number | null => {
    const value = chance.between(low, high)
    return chance.chance(rate) ? value : null
  }
  return {
    ...noLimits,
    maxSessions: maybe(scale, 3 * scale),
    maxActiveSessions: maybe(2, 2 * scale),
    maxSteps: maybe(scale, 6 * scale),
    maxCost: maybe(scale * unit, 8 * scale * unit),
    maxTokens: maybe(100 * scale, 1000 * scale),
    maxOpenHandoffs: maybe(1, scale),
    maxDepth: maybe(1, 3),
  }
}

const role = (chance: Chance, name: string, index: number): Role => ({
  name,
  root: index === 0 || chance.chance(0.1),
  limits: chance.chance(0.3) ? { ...limits(chance, 0.25, 3), maxDepth: null } : noLimits,
  defaultCost: chance.chance(0.6) ? chance.among(unit / 10, unit) : null,
  session: null,
  tools: chance.chance(0.4) ? [contract(chance)] : [],
})

const contract = (chance: Chance): ToolContract => ({
  tool: chance.among("read", "write", "deploy"),
  sideEffect: "write",
  evidenceClass: "ack_only",
  resources: chance.chance(0.5) ? [{ name: "line", key: { constant: "a" } }] : [],
  estimate: chance.chance(0.5) ? unit / 4 : null,
  timeoutMs: null,
  rest: {},
})

/** Of ten contracts three ask for a person, who has up to three seconds for it, or a day. */
const withCheckpoints = (definition: Definition, chance: Chance): Definition => ({
  ...definition,
  roles: definition.roles.map((one) => ({
    ...one,
    tools: one.tools.map((tool) => {
      const timeout = `${chance.between(300, 3000)}ms`
      if (!chance.chance(0.3)) return tool
      return { ...tool, rest: { checkpoint: chance.chance(0.8) ? { timeout } : true } }
    }),
  })),
})

const edge = (chance: Chance, from: string, to: string): Edge => ({
  from,
  to,
  claimTimeoutMs: chance.chance(0.6) ? chance.between(800, 4000) : null,
  offerTimeoutMs: chance.chance(0.5) ? chance.between(600, 4000) : null,
  maxAttempts: chance.chance(0.4) ? chance.between(1, 3) : null,
  completion: chance.chance(0.4) ? "any" : "requires_progress",
  summarySchema: chance.chance(0.25) ? { type: "object", required: ["task"] } : null,
})

const resource = (chance: Chance, name: string, mode: Resource["mode"]): Resource =>
  chance.chance(0.4)
    ? { name, mode, unresolved: "release", pendingTimeoutMs: chance.between(500, 3000) }
    : { name, mode, unresolved: "hold", pendingTimeoutMs: null }
