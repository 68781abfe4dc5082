/**
 * What a run is like: how many nodes, agents and commands, how slow and how faulty, who does what how often. All of it follows
 * from the seed. No two runs are alike, and in each some commands and some faults do not occur at all: what never happens lets
 * the rest go further.
 */
import type { Chance } from "./Chance.ts"

/** The bounds of a run. Smaller ones make a smaller run of the same seed. */
export interface Limits {
  readonly nodes: number
  readonly workflows: number
  readonly agents: number
  /** Commands that the agents send before the store is healed. */
  readonly commands: number
  /** Faults that happen at all; the ones after that don't. */
  readonly faults: number
}

export const widest: Limits = {
  nodes: 4,
  workflows: 3,
  agents: 8,
  commands: Number.POSITIVE_INFINITY,
  faults: Number.POSITIVE_INFINITY,
}

export const actions = [
  "offer",
  "preflight",
  "propose",
  "receipt",
  "heartbeat",
  "release",
  "complete",
  "fail",
  "attach",
  "reclaim",
  "withdraw",
  "killSession",
  "killSubtree",
  "killWorkflow",
  "operate",
  "look",
] as const
export type Action = (typeof actions)[number]

const usual: Readonly<Record<Action, number>> = {
  offer: 14,
  preflight: 4,
  propose: 22,
  receipt: 28,
  heartbeat: 4,
  release: 3,
  complete: 12,
  fail: 1.5,
  attach: 1.5,
  reclaim: 2,
  withdraw: 2,
  killSession: 1.2,
  killSubtree: 1.2,
  killWorkflow: 0.3,
  operate: 5,
  look: 3,
}

export interface Swarm extends Limits {
  readonly stepUs: number
  readonly yieldRate: number
  /** Microseconds between a node and the store, one way. */
  readonly latencyUs: readonly [low: number, high: number]
  readonly stallRate: number
  /** Of one call of the store: it fails before, or after it has done its work. */
  readonly failBefore: number
  readonly failAfter: number
  /** Calls that only read. */
  readonly failRead: number
  /** Faults of whole nodes: virtual milliseconds from one to the next, on average; 0 is never. */
  readonly crashEveryMs: number
  readonly freezeEveryMs: number
  readonly jumpEveryMs: number
  readonly skewMs: number
  readonly jumpMs: number
  readonly hintMs: number
  /** Two tenants that choose the same ids. */
  readonly tenants: 1 | 2
  readonly watchers: number
  readonly thinkMs: readonly [low: number, high: number]
  readonly slowRate: number
  readonly dieRate: number
  readonly keyRate: number
  readonly retryRate: number
  /** Milliseconds after which an agent doesn't wait for an answer any longer; 0 is never. */
  readonly patienceMs: number
  /** How often an agent says what can't be right: a stale version, another's step, an old token. */
  readonly lieRate: number
  readonly weights: Readonly<Record<Action, number>>
  /** Milliseconds that pass once more at the end, with nobody doing anything. */
  readonly restMs: number
}

export const drawSwarm = (chance: Chance, limits: Limits): Swarm => {
  const size = chance.next()
  const commands = size < 0.85 ? chance.between(5, 22) : size < 0.99 ? chance.between(22, 80) : chance.between(200, 600)
  const nodes = chance.among(1, 2, 2, 2, 3, 3, 4)
  const workflows = chance.among(1, 1, 1, 2, 2, 3)
  const agents = chance.between(2, size < 0.85 ? 5 : 8)
  const maybe = <A>(rate: number, value: A, otherwise: A): A => (chance.chance(rate) ? value : otherwise)
  const slowest = chance.among(50, 2000, 2000, 20_000, 60_000)
  const longest = chance.among(5, 60, 200, 800)
  return {
    nodes: Math.min(nodes, limits.nodes),
    workflows: Math.min(workflows, limits.workflows),
    agents: Math.min(agents, limits.agents),
    commands: Math.min(commands, limits.commands),
    faults: limits.faults,
    stepUs: chance.among(0, 20, 200, 1000),
    yieldRate: chance.among(0, 0, 0.01, 0.1),
    latencyUs: [Math.floor(slowest / 20), slowest],
    stallRate: maybe(0.4, 0.02, 0),
    failBefore: maybe(0.5, chance.among(0.01, 0.05, 0.2), 0),
    failAfter: maybe(0.5, chance.among(0.01, 0.05, 0.2), 0),
    failRead: maybe(0.4, chance.among(0.02, 0.1), 0),
    crashEveryMs: maybe(0.45, chance.among(200, 800, 3000), 0),
    freezeEveryMs: maybe(0.35, chance.among(300, 1500), 0),
    jumpEveryMs: maybe(0.2, chance.among(300, 1500), 0),
    skewMs: maybe(0.4, chance.among(5, 50, 400), 0),
    jumpMs: chance.among(20, 500, 5000),
    hintMs: chance.among(0, 5, 300),
    tenants: maybe(0.15, 2, 1),
    watchers: chance.among(0, 0, 1, 2),
    thinkMs: [0, longest],
    slowRate: maybe(0.5, 0.05, 0),
    dieRate: maybe(0.5, 0.03, 0),
    keyRate: chance.among(0, 0.4, 0.8, 1),
    retryRate: chance.among(0, 0.5, 0.9),
    patienceMs: maybe(0.3, chance.among(5, 50, 1000), 0),
    lieRate: chance.among(0, 0.03, 0.15),
    weights: drawWeights(chance),
    restMs: maybe(0.01, 75_000, 0),
  }
}

/** Each action is left out in one run of ten, or done three times as often in another. */
const drawWeights = (chance: Chance): Swarm["weights"] => {
  const weights = { ...usual }
  for (const action of actions) {
    const fate = chance.next()
    if (fate < 0.1) weights[action] = 0
    else if (fate < 0.2) weights[action] *= 3
  }
  return weights
}
