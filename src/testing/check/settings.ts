/** Options of a check: what a caller may give, checked and with every default filled in. */
import { toMicros } from "../../machines/ids.ts"
import { checkBounds } from "./bounds.ts"
import { type Behaviour, behaviours } from "./report.ts"

/** How agents behave. A list of behaviours is `{ mix }` with equal weights. */
export interface AgentOptions {
  /** How often each behaviour is drawn, relative to the others; one that is left out never is. Default: all, equally. */
  readonly mix?: Partial<Readonly<Record<Behaviour, number>>>
  /**
   * Decimal money: what a call costs whose price the definition does not say. Default: 0.5 % to 10 % of the strictest
   * `max_cost`.
   */
  readonly cost?: readonly [min: number, max: number]
  /** How many times its estimate a lying agent's call may really cost. Default 10. */
  readonly overrun?: number
  /** Whether an operator now and then reclaims, resolves or kills something. Default true. */
  readonly operator?: boolean
}

export interface CheckOptions {
  /** Default 1000. */
  readonly runs?: number
  /** The same seed and options give the same report. Default 1. */
  readonly seed?: number
  /** The most moves of one run before its agents are told to finish. Default 100. */
  readonly commands?: number
  readonly agents?: ReadonlyArray<Behaviour> | AgentOptions
  /** Ids of dangers that are known and accepted. */
  readonly allow?: ReadonlyArray<string>
  /** Called now and then with the runs done so far. */
  readonly onProgress?: (done: number, runs: number) => void
}

export interface CheckSettings {
  readonly runs: number
  readonly seed: number
  readonly commands: number
  readonly mix: ReadonlyArray<readonly [Behaviour, number]>
  /** Micro-units. */
  readonly cost: readonly [min: number, max: number] | null
  readonly overrun: number
  readonly operator: boolean
}

/** An option has a value that no check can be made with. */
export class CheckOptionError extends Error {
  override readonly name = "CheckOptionError"
  readonly option: string

  constructor(option: string, message: string) {
    super(`${option} ${message}`)
    this.option = option
  }
}

const whole = (option: string, value: number, min: number, max: number): number => {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new CheckOptionError(option, `must be a whole number of ${min} to ${max}, and is ${value}.`)
  return value
}

export const settingsOf = (options: CheckOptions): CheckSettings => {
  const { runs = 1000, seed = 1, commands = 100 } = options
  const agents = agentsOf(options.agents ?? behaviours)
  const overrun = agents.overrun ?? 10
  if (!(overrun >= 1 && overrun <= 1e6))
    throw new CheckOptionError("agents.overrun", `must be 1 to 1000000, and is ${overrun}.`)
  return {
    runs: whole("runs", runs, 1, checkBounds.runs),
    seed: whole("seed", seed, 0, 2 ** 32 - 1),
    commands: whole("commands", commands, 1, checkBounds.commands),
    mix: mixOf(agents.mix),
    cost: costOf(agents.cost),
    overrun,
    operator: agents.operator ?? true,
  }
}

const agentsOf = (agents: NonNullable<CheckOptions["agents"]>): AgentOptions =>
  isList(agents) ? { mix: Object.fromEntries(agents.map((name) => [name, 1])) } : agents

const isList = (agents: NonNullable<CheckOptions["agents"]>): agents is ReadonlyArray<Behaviour> =>
  Array.isArray(agents)

const mixOf = (mix: AgentOptions["mix"]): CheckSettings["mix"] => {
  if (mix === undefined) return behaviours.map((name) => [name, 1] as const)
  for (const [name, weight] of Object.entries(mix)) {
    if (!behaviours.some((known) => known === name))
      throw new CheckOptionError("agents", `know no behaviour ${name}: there are ${behaviours.join(", ")}.`)
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY))
      throw new CheckOptionError("agents", `weigh ${name} with ${weight}: give a number of 0 or more.`)
  }
  const known = behaviours.map((name) => [name, mix[name] ?? 0] as const).filter(([, weight]) => weight > 0)
  if (known.length === 0)
    throw new CheckOptionError("agents", `need at least one behaviour of ${behaviours.join(", ")}.`)
  return known
}

const costOf = (cost: AgentOptions["cost"]): CheckSettings["cost"] => {
  if (cost === undefined) return null
  const [min, max] = cost
  if (!(min >= 0 && min <= max && max <= 1e9))
    throw new CheckOptionError("agents.cost", "must be two amounts, the smaller first, of 0 to 1000000000.")
  return [toMicros(min), toMicros(max)]
}
