/** A workflow for people: its tree of sessions and handoffs, what is held, and what is left to spend. */

import type { Counter, HandoffSummary, SessionSummary } from "../machines/views.ts"
import type { WorkflowView } from "../runtime/Client.ts"
import { durationText } from "../testing/check/durations.ts"
import { approvalsTable } from "./approvalsText.ts"
import type { Style, Terminal } from "./Terminal.ts"
import { cell, table } from "./table.ts"
import { relative } from "./times.ts"

export const statusStyles: Readonly<Record<string, Style>> = {
  active: "green",
  in_progress: "green",
  offered: "cyan",
  claimed: "yellow",
  completed: "dim",
  withdrawn: "dim",
  expired: "yellow",
  failed: "red",
  killed: "red",
  orphaned: "red",
  awaiting_approval: "yellow",
  queued: "cyan",
  admitted: "green",
}

export const paintStatus = (status: string, terminal: Terminal): string => {
  const style = statusStyles[status]
  return style === undefined ? status : terminal.paint(style, status)
}

/** Everything about it, in lines. `now` is epoch ms. */
export const workflowLines = (view: WorkflowView, now: number, terminal: Terminal): ReadonlyArray<string> => [
  headline(view, now, terminal),
  "",
  ...treeLines(view, now, terminal),
  ...section("Awaiting approval", approvalsTable(view.approvals, now, terminal), terminal),
  ...section("Resources", resources(view, terminal), terminal),
  ...section("Spent and reserved", ledger(view, terminal), terminal),
  ...fenced(view, terminal),
]

const headline = (view: WorkflowView, now: number, terminal: Terminal): string => {
  const { workflowId, workflow, status, createdAt, endedAt, deadline, seq } = view
  const parts = [
    `${terminal.paint("bold", workflowId)} ${workflow}`,
    paintStatus(status, terminal),
    `event ${seq}`,
    `created ${relative(createdAt, now)}`,
    ...(endedAt === null ? [] : [`ended ${relative(endedAt, now)}`]),
    ...(deadline === null || status !== "active" ? [] : [`max_duration ${relative(deadline, now)}`]),
  ]
  return parts.join(" · ")
}

const section = (title: string, body: string, terminal: Terminal): ReadonlyArray<string> =>
  body === "" ? [] : ["", terminal.paint("bold", title), ...body.split("\n")]

// ---- the tree ----

interface Twig {
  readonly text: string
  readonly children: Array<Twig>
}

/** Sessions beneath the handoffs that they claimed, and those beneath the sessions that offered them. */
const treeLines = (view: WorkflowView, now: number, terminal: Terminal): ReadonlyArray<string> => {
  const roots: Array<Twig> = []
  const sessions = new Map<string, Twig>()
  const handoffs = new Map<string, Twig>()
  const isOpen = view.status === "active"
  for (const session of view.sessions)
    sessions.set(session.sessionId, { text: sessionText(session, now, terminal), children: [] })
  for (const handoff of view.handoffs) {
    const twig = { text: handoffText(handoff, now, isOpen, terminal), children: [] }
    handoffs.set(handoff.handoffId, twig)
    place(twig, sessions.get(handoff.fromSessionId), roots)
  }
  for (const { sessionId, handoffId, parentSessionId } of view.sessions) {
    const twig = sessions.get(sessionId)
    if (twig === undefined) continue
    const above = handoffId === null ? undefined : handoffs.get(handoffId)
    place(twig, above ?? (parentSessionId === null ? undefined : sessions.get(parentSessionId)), roots)
  }
  return drawn(roots)
}

/** What ended long ago is not listed any more: what hung on it stands at the top. */
const place = (twig: Twig, above: Twig | undefined, roots: Array<Twig>): void => {
  ;(above?.children ?? roots).push(twig)
}

/** By hand instead of recursion: a tree may be as deep as its definition lets it. */
const drawn = (roots: ReadonlyArray<Twig>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const waiting = roots.map((twig) => ({ twig, lead: "", indent: "" })).toReversed()
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { twig, lead, indent } = next
    lines.push(lead + twig.text)
    const last = twig.children.length - 1
    for (let index = last; index >= 0; index--) {
      const child = twig.children[index]
      if (child === undefined) continue
      const isLast = index === last
      waiting.push({
        twig: child,
        lead: `${indent}${isLast ? "└─ " : "├─ "}`,
        indent: `${indent}${isLast ? "   " : "│  "}`,
      })
    }
  }
  return lines
}

const sessionText = (session: SessionSummary, now: number, terminal: Terminal): string => {
  const { sessionId, role, agent, status, createdAt, endedAt, reason } = session
  const since = endedAt === null ? durationText(Math.max(0, secondsOf(now - createdAt))) : relative(endedAt, now)
  const why = status === "active" || status === "completed" || reason === null ? "" : ` (${cell(reason)})`
  const dot = status === "active" ? terminal.paint("green", "●") : terminal.paint("dim", "○")
  const who = `${dot} ${terminal.paint("bold", sessionId)} ${role}, ${agent}`
  return `${who}: ${paintStatus(status, terminal)}${why} ${terminal.paint("dim", since)}`
}

const leases: Readonly<Record<string, string>> = { offered: "offer_timeout", claimed: "claim_timeout" }

const handoffText = (handoff: HandoffSummary, now: number, isOpen: boolean, terminal: Terminal): string => {
  const { handoffId, toRole, status, generation, deadline } = handoff
  const tries = generation > 1 ? `, try ${generation}` : ""
  const lease = leases[status]
  const left = deadline === null || lease === undefined || !isOpen ? "" : `, ${lease} ${relative(deadline, now)}`
  return `→ ${handoffId} to ${toRole}: ${paintStatus(status, terminal)}${tries}${terminal.paint("dim", left)}`
}

const secondsOf = (ms: number): number => (ms < 1000 ? 0 : Math.floor(ms / 1000) * 1000)

// ---- what is held, what is spent ----

const resources = (view: WorkflowView, terminal: Terminal): string => {
  const held = view.resources.filter(({ owner, steps }) => owner !== null || steps.length > 0)
  if (held.length === 0) return ""
  const rows = held.flatMap(({ name, key, mode, owner, steps }) => {
    const head = [`${name} ${key}`, mode, owner ?? ""]
    if (steps.length === 0) return [[...head, "", "", ""]]
    return steps.map(({ stepId, sessionId, status }, index) => [
      ...(index === 0 ? head : ["", "", ""]),
      stepId,
      paintStatus(status, terminal),
      sessionId,
    ])
  })
  const titles = ["RESOURCE", "MODE", "OWNER", "STEP", "STATUS", "SESSION"].map((title) => ({ title }))
  return table(titles, rows, terminal)
}

const counters = ["sessions", "activeSessions", "steps", "cost", "tokens", "openHandoffs"] as const
const names: Readonly<Record<(typeof counters)[number], string>> = {
  sessions: "sessions",
  activeSessions: "active_sessions",
  steps: "steps",
  cost: "cost",
  tokens: "tokens",
  openHandoffs: "open_handoffs",
}

const ledger = (view: WorkflowView, terminal: Terminal): string => {
  const rows = [["", view.ledger] as const, ...Object.entries(view.roles)].flatMap(([role, account]) =>
    counters
      .filter((counter) => isOfInterest(account[counter]))
      .map((counter) => [role === "" ? "workflow" : role, names[counter], ...figures(account[counter], terminal)]),
  )
  const right = "right" as const
  const titles = [
    { title: "OF" },
    { title: "LIMIT" },
    { title: "USED", align: right },
    { title: "RESERVED", align: right },
    { title: "MAX", align: right },
    { title: "LEFT", align: right },
  ]
  return rows.length === 0 ? "" : table(titles, rows, terminal)
}

const isOfInterest = ({ used, reserved, max }: Counter): boolean => used > 0 || reserved > 0 || max !== null

const figures = ({ used, reserved, max, remaining }: Counter, terminal: Terminal): ReadonlyArray<string> => {
  const left = remaining === null ? "" : String(remaining)
  return [
    String(used),
    String(reserved),
    max === null ? "–" : String(max),
    remaining === 0 ? terminal.paint("red", left) : left,
  ]
}

const fenced = ({ fencedKills }: WorkflowView, terminal: Terminal): ReadonlyArray<string> =>
  fencedKills.length === 0
    ? []
    : [
        "",
        ...fencedKills.map(
          ({ killId, orphans }) =>
            `${terminal.paint("red", "fenced")} kill ${killId}: ` +
            `${orphans} orphaned ${orphans === 1 ? "step" : "steps"} unresolved`,
        ),
      ]
