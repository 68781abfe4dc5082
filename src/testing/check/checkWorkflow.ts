/**
 * `checkWorkflow(definition, { runs, seed, agents })`: what can happen to a workflow when its agents behave well, slowly,
 * greedily, crash and lie.
 *
 * The real rules run on the user's own definition, in virtual time, without a store: thousands of runs take seconds. Everything
 * follows from the seed. It is synchronous and bounded by `runs` and `commands`.
 */

import { makeRules } from "../../definition/index.ts"
import type { Artifact, LimitName } from "../../machines/definition.ts"
import { fromMicros } from "../../machines/ids.ts"
import type { DefinitionInput } from "../../runtime/Client.ts"
import { type Absence, absencesOf } from "./absences.ts"
import { boundOfSteps } from "./bounds.ts"
import { type Exploration, explore, type Seen } from "./explore.ts"
import { loadForCheck } from "./load.ts"
import { tell } from "./Narrator.ts"
import { Plan } from "./Plan.ts"
import { type Finding, type LimitReport, levels, type Overshoot, type Report, type RoleReport } from "./report.ts"
import { type CheckOptions, settingsOf } from "./settings.ts"
import { shrink } from "./shrink.ts"
import { type Machine, theRules } from "./World.ts"
import { decimal, type Figures, wordsFor } from "./words.ts"

/** Throws `ReplayConfigError` where the definition can't be read or compiled, `CheckOptionError` for an impossible option. */
export const checkWorkflow = (definition: DefinitionInput, options: CheckOptions = {}): Report =>
  checkArtifact(loadForCheck(definition), options)

/** `machine` is the rules that are run: tests of the check itself run broken ones. */
export const checkArtifact = (artifact: Artifact, options: CheckOptions, machine: Machine = theRules): Report => {
  const settings = settingsOf(options)
  const plan = new Plan(makeRules(artifact), settings)
  const exploration = explore(plan, settings, machine, options.onProgress)
  const allow = new Set(options.allow ?? [])
  const findings = findingsOf(plan, exploration, machine, allow)
  const ofLevel = (level: Finding["level"]) => findings.filter((one) => one.level === level && !one.allowed)
  const { totals, ends, runs, goodRuns, goodRunsCompleted } = exploration
  return {
    workflow: artifact.definition.workflow,
    hash: artifact.hash,
    seed: settings.seed,
    findings,
    violations: ofLevel("violation"),
    dangers: ofLevel("danger"),
    reached: ofLevel("reached"),
    limits: limitsOf(plan, exploration),
    roles: Object.fromEntries(
      artifact.definition.roles.map(({ name }): readonly [string, RoleReport] => {
        const { sessions, steps, completed } = totals.role(name)
        return [name, { sessions, steps, completed }]
      }),
    ),
    statistics: {
      runs,
      goodRuns,
      goodRunsCompleted,
      commands: totals.commands,
      refused: totals.refused,
      events: totals.events,
      ...ends,
    },
  }
}

const findingsOf = (
  plan: Plan,
  exploration: Exploration,
  machine: Machine,
  allow: ReadonlySet<string>,
): ReadonlyArray<Finding> => {
  const { totals, goodRuns } = exploration
  const figures: Figures = {
    goodRuns,
    overrun: decimal(totals.overrunCost),
    overshoot: decimal(totals.overshootCost),
  }
  const seen = Array.from(exploration.seen.values(), (one) => seenFinding(plan, one, machine, figures, allow))
  const missing = absencesOf(plan.definition, exploration).map((absence) => absentFinding(absence, allow))
  return [...seen, ...missing].toSorted(
    (a, b) => levels.indexOf(a.level) - levels.indexOf(b.level) || (a.id < b.id ? -1 : 1),
  )
}

/** A violation can't be allowed: it says nothing about the definition. */
const seenFinding = (
  plan: Plan,
  seen: Seen,
  machine: Machine,
  figures: Figures,
  allow: ReadonlySet<string>,
): Finding => {
  const { moves, sighting } = shrink(plan.rules, machine, seen.moves, seen.sighting)
  const { id, level, kind, subject } = sighting
  return {
    id,
    level,
    kind,
    subject,
    ...wordsFor(seen, sighting, plan.definition, figures),
    runs: seen.runs,
    history: tell(plan.rules, machine, moves),
    allowed: level !== "violation" && allow.has(id),
  }
}

const absentFinding = ({ kind, subject, text, fix }: Absence, allow: ReadonlySet<string>): Finding => {
  const id = `${kind}:${subject}`
  return { id, level: "danger", kind, subject, text, fix, runs: 0, history: [], allowed: allow.has(id) }
}

// ---- limits ----

const wireNames: Readonly<Record<LimitName, string>> = {
  maxSessions: "max_sessions",
  maxActiveSessions: "max_active_sessions",
  maxSteps: "max_steps",
  maxCost: "max_cost",
  maxTokens: "max_tokens",
  maxOpenHandoffs: "max_open_handoffs",
  maxDepth: "max_depth",
  maxDurationMs: "max_duration",
}
const none: Overshoot = { seen: 0, calls: 0, bound: 0 }

const limitsOf = (plan: Plan, exploration: Exploration): Report["limits"] => {
  const of = (name: LimitName): LimitReport => limitOf(plan, exploration, name)
  return {
    maxSessions: of("maxSessions"),
    maxActiveSessions: of("maxActiveSessions"),
    maxSteps: of("maxSteps"),
    maxCost: of("maxCost"),
    maxTokens: of("maxTokens"),
    maxOpenHandoffs: of("maxOpenHandoffs"),
    maxDepth: of("maxDepth"),
    maxDurationMs: of("maxDurationMs"),
  }
}

const limitOf = ({ definition }: Plan, { seen, totals }: Exploration, name: LimitName): LimitReport => {
  const wire = wireNames[name]
  const whole = seen.get(`limit:${wire}`)
  let reached = whole?.runs ?? 0
  let reachedByGood = whole?.goodRuns ?? 0
  for (const { name: role } of definition.roles) {
    const own = seen.get(`limit:${role}.${wire}`)
    reached = Math.max(reached, own?.runs ?? 0)
    reachedByGood = Math.max(reachedByGood, own?.goodRuns ?? 0)
  }
  const limit = definition.limits[name]
  const shown = (amount: number): number => (name === "maxCost" ? fromMicros(amount) : amount)
  return {
    limit: limit === null ? null : shown(limit),
    reached,
    reachedByGood,
    peak: shown(totals.peaks.get(name) ?? 0),
    overshoot: overshootOf(definition, totals, name),
  }
}

const overshootOf = (definition: Plan["definition"], totals: Exploration["totals"], name: LimitName): Overshoot => {
  if (name !== "maxCost" && name !== "maxTokens") return none
  const limited = definition.limits[name] !== null || definition.roles.some(({ limits }) => limits[name] !== null)
  if (!limited) return none
  // The least bounded scope that has the limit: what holds for all of them.
  const scopes = [
    ...(definition.limits[name] === null ? [] : [null]),
    ...definition.roles.filter(({ limits }) => limits[name] !== null).map((role) => role.name),
  ]
  const calls = scopes
    .map((scope) => boundOfSteps(definition, scope))
    .reduce((most, bound) => (most === null || bound === null ? null : Math.max(most, bound)), 0)
  const [over, overrun] =
    name === "maxCost"
      ? [decimal(totals.overshootCost), decimal(totals.overrunCost)]
      : [totals.overshootTokens, totals.overrunTokens]
  return { seen: over, calls, bound: calls === null ? null : Math.ceil(calls * overrun * 1e6) / 1e6 }
}
