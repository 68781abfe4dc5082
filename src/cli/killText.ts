/** A kill for people: what will die, before; and what died, after. */
import type { KillReceipt } from "../machines/answers.ts"
import type { InputOf } from "../machines/commands.ts"
import type { WorkflowView } from "../runtime/Client.ts"
import type { Terminal } from "./Terminal.ts"
import { cell, table } from "./table.ts"
import { momentText } from "./times.ts"

/** Lines of a list; there may be thousands. */
const mostLines = 40

/** What is alive in the scope of the kill as the view has it. Between looking and killing more may be born: it dies too. */
export const doomedLines = (
  view: WorkflowView,
  command: InputOf<"kill">,
  terminal: Terminal,
): ReadonlyArray<string> => {
  const inScope = scopeOf(view, command)
  const sessions = view.sessions.filter(({ sessionId, status }) => status === "active" && inScope.has(sessionId))
  const handoffs = view.handoffs.filter(
    ({ status, fromSessionId, claimedBy }) =>
      open.has(status) &&
      // A session's own kill leaves what others have claimed from it.
      (command.scope === "session"
        ? (claimedBy === null && inScope.has(fromSessionId)) || (claimedBy !== null && inScope.has(claimedBy))
        : inScope.has(fromSessionId) || (claimedBy !== null && inScope.has(claimedBy))),
  )
  return [
    `This will die: ${count(sessions.length, "session")}, ${count(handoffs.length, "open handoff")}` +
      `${command.scope === "workflow" ? `, workflow ${view.workflowId} itself` : ` of workflow ${view.workflowId}`}.`,
    ...cut(
      sessions.map(({ sessionId, role, agent }) => `  ${terminal.paint("red", "●")} ${sessionId} ${role}, ${agent}`),
    ),
    ...cut(
      handoffs.map(
        ({ handoffId, toRole, status }) => `  ${terminal.paint("red", "→")} ${handoffId} to ${toRole}: ${status}`,
      ),
    ),
  ]
}

const open = new Set(["offered", "claimed", "in_progress"])

/** The sessions that the kill is about; a parent is listed before its children. */
const scopeOf = ({ sessions }: WorkflowView, { scope, sessionId }: InputOf<"kill">): ReadonlySet<string> => {
  if (scope === "workflow") return new Set(sessions.map((session) => session.sessionId))
  const found = new Set(sessionId === undefined ? [] : [sessionId])
  if (scope === "session") return found
  for (const session of [...sessions].sort((a, b) => a.depth - b.depth))
    if (session.parentSessionId !== null && found.has(session.parentSessionId)) found.add(session.sessionId)
  return found
}

export const receiptLines = (receipt: KillReceipt, terminal: Terminal): ReadonlyArray<string> => {
  const { killId, scope, sessionId, workflowId, actor, reason, at, counts, sessions, handoffs, orphanedSteps, state } =
    receipt
  const what = scope === "workflow" ? `workflow ${workflowId}` : `${scope} ${sessionId ?? ""} of ${workflowId}`
  return [
    `${terminal.paint("red", "killed")} ${what} · ${killId} · ${momentText(at)} by ${cell(actor)}: ${cell(reason, 200)}`,
    `${count(counts.sessions, "session")}, ${count(counts.handoffs, "handoff")}, ${count(counts.orphanedSteps, "orphaned step")}`,
    ...cut(sessions.map((id) => `  ● ${id}`)),
    ...cut(handoffs.map((id) => `  → ${id}`)),
    ...(orphanedSteps.length === 0
      ? []
      : cut(
          table(
            ["STEP", "TOOL", "SESSION", "RESOURCES"].map((title) => ({ title })),
            orphanedSteps.map((step) => [
              step.stepId,
              step.tool,
              step.sessionId,
              step.resources.map(({ name, key }) => `${name} ${key}`).join(", "),
            ]),
            terminal,
          ).split("\n"),
        )),
    state === "quiescent"
      ? `${terminal.paint("green", "quiescent")}: nothing of it is left to be found out.`
      : `${terminal.paint("yellow", "fenced")}: the orphaned steps may or may not have had their effect. Look, and tell ` +
        `with handrail resolve ${workflowId} STEP.`,
  ]
}

const count = (n: number, noun: string): string => `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`

const cut = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length <= mostLines
    ? lines
    : [...lines.slice(0, mostLines), `  … and ${(lines.length - mostLines).toLocaleString("en-US")} more`]
