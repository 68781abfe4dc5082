/** What passes between the demo and the agent processes that it starts: orders to them, reports from them. */

export const roles = ["orchestrator", "code-scanner", "risk-analyst", "publisher"] as const
export type Role = (typeof roles)[number]

/** How an agent is to misbehave, or when it has to wait, so that a variant shows the same thing every time. */
export interface Behaviour {
  /** Waits for a line on standard input before it claims, or after the claim and before its first call. */
  readonly waitBefore?: readonly ("claim" | "work")[]
  /** The scan of this part never ends by itself. */
  readonly stuckAtPart?: number
  /** What the scan of each part really costs, first part first. */
  readonly prices?: readonly number[]
  /** Waits for an operator when the money is gone, where it would give up otherwise. */
  readonly waitsForMoney?: boolean
}

/** Where a server is, and what it takes to be let in. */
export interface Access {
  readonly url: string
  readonly apiKey: string
}

export interface Assignment {
  /** Where the files of the run go. */
  readonly folder: string
  /** The SQLite file that all processes open, unless they reach a server. */
  readonly store: string
  readonly workflowId: string
  readonly role: Role
  readonly agent: string
  readonly sessionId: string
  /** The handoff to claim; none for the orchestrator. */
  readonly handoff?: { readonly handoffId: string; readonly parentSessionId: string }
  /** What to review; for the orchestrator alone. */
  readonly change?: {
    readonly target?: string
    readonly repo?: string
    readonly cwd: string
    readonly repository: string
  }
  readonly behaviour?: Behaviour
}

export type Report =
  | { readonly kind: "waiting"; readonly before: "claim" | "work" }
  /** It has begun a scan that will not end. */
  | { readonly kind: "stuck"; readonly part: number }
  /** A call was refused and nothing of it ran. `ran` tools ran before it. */
  | {
      readonly kind: "refused"
      readonly code: string
      readonly facts: Readonly<Record<string, unknown>>
      readonly ran: number
    }
  /** Somebody else has the handoff. */
  | {
      readonly kind: "lost"
      readonly code: string
      readonly detail: string
      readonly facts: Readonly<Record<string, unknown>>
    }
  | { readonly kind: "killed"; readonly killId: string | null; readonly reason: string }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "done" }

/** A report as it is sent, with the time at which it was true. */
export interface Said {
  /** Epoch ms. */
  readonly at: number
  readonly report: Report
}

/** The figures of a refusal for want of money. */
export const figuresOf = ({ facts }: Extract<Report, { readonly kind: "refused" }>) => {
  const figure = (name: string): number => (typeof facts[name] === "number" ? facts[name] : Number.NaN)
  return { max: figure("max"), used: figure("used"), reserved: figure("reserved"), requested: figure("requested") }
}
