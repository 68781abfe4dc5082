/** What the agents tell each other: which work is on offer, who is at work, which steps were begun. One board a tenant. */
import type { Tenant } from "../../machines/ids.ts"

export interface Ticket {
  readonly workflowId: string
  readonly handoffId: string
  readonly parentSessionId: string
  readonly role: string
}
export interface KnownSession {
  readonly workflowId: string
  readonly sessionId: string
}
export interface KnownStep {
  readonly workflowId: string
  readonly stepId: string
}

/** Sessions that are remembered. */
const latest = 8

export class Board {
  readonly tenant: Tenant
  tickets: Array<Ticket> = []
  sessions: Array<KnownSession> = []
  readonly steps: Array<KnownStep> = []
  /** Steps that were proposed as awaiting approval; what has become of them since is not known here. */
  readonly approvals: Array<KnownStep> = []
  readonly workflows = new Set<string>()

  constructor(tenant: Tenant) {
    this.tenant = tenant
  }

  taken(ticket: Ticket): void {
    this.tickets = this.tickets.filter((other) => other !== ticket)
  }

  begun(workflowId: string, sessionId: string): void {
    this.sessions = [...this.sessions.slice(-latest), { workflowId, sessionId }]
  }

  /** It is still remembered for a while, among the others. */
  left(sessionId: string): void {
    const index = this.sessions.findIndex((session) => session.sessionId === sessionId)
    if (index > 0) this.sessions.splice(0, index)
  }

  /** Nothing of it is worth an effort any more. */
  hasEnded(workflowId: string): void {
    this.workflows.delete(workflowId)
    this.tickets = this.tickets.filter((ticket) => ticket.workflowId !== workflowId)
  }
}
