/** What is counted over all runs of a check. Money in micro-units. */
import type { LimitName } from "../../machines/definition.ts"

export interface RoleTotals {
  sessions: number
  steps: number
  completed: number
  /** Why its sessions were not born, or did not get to do what they wanted: refusals by code, or by limit. */
  readonly refusals: Map<string, number>
}

export class Totals {
  readonly roles = new Map<string, RoleTotals>()
  /** By edge, `from>to`. */
  readonly claims = new Map<string, number>()
  readonly offers = new Map<string, number>()
  readonly peaks = new Map<LimitName, number>()
  /** The most that one settled call went past its estimate. */
  overrunCost = 0
  overrunTokens = 0
  /** The most that used and reserved went past a limit, of the workflow or of a role. */
  overshootCost = 0
  overshootTokens = 0
  commands = 0
  refused = 0
  events = 0

  role(name: string): RoleTotals {
    let role = this.roles.get(name)
    if (role === undefined) {
      role = { sessions: 0, steps: 0, completed: 0, refusals: new Map() }
      this.roles.set(name, role)
    }
    return role
  }

  refusal(role: string, why: string): void {
    const { refusals } = this.role(role)
    refusals.set(why, (refusals.get(why) ?? 0) + 1)
  }

  peak(name: LimitName, used: number): void {
    if (used > (this.peaks.get(name) ?? 0)) this.peaks.set(name, used)
  }
}

export const count = (map: Map<string, number>, name: string): void => {
  map.set(name, (map.get(name) ?? 0) + 1)
}
