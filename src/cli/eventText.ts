/** Events of a journal for people: one line each, with nothing in it that an agent could drive a terminal with. */
import type { JournalEvent } from "../machines/events.ts"
import { fromMicros } from "../machines/ids.ts"
import { durationText } from "../testing/check/durations.ts"
import type { Style, Terminal } from "./Terminal.ts"
import { cell } from "./table.ts"
import { clockOf } from "./times.ts"

type Body = JournalEvent["body"]

/** `   3 12:00:00.000 handoff.offered  pr-42-root  scan-1 to scanner`. */
export const eventLine = ({ seq, at, actor, body }: JournalEvent, terminal: Terminal): string => {
  const style = styles[body._tag]
  const type = body._tag.padEnd(width)
  const shown = style === undefined ? type : terminal.paint(style, type)
  const head = `${String(seq).padStart(5)} ${terminal.paint("dim", clockOf(at))} ${shown} ${cell(actor)}`
  return `${head}  ${detailOf(body)}`.trimEnd()
}

const width = "resources.released".length

const styles: { readonly [T in Body["_tag"]]?: Style } = {
  "workflow.created": "green",
  "step.approved": "green",
  "session.completed": "green",
  "session.failed": "red",
  "handoff.reclaimed": "yellow",
  "handoff.expired": "yellow",
  killed: "red",
  "limits.raised": "cyan",
}

const detailOf = (body: Body): string => {
  switch (body._tag) {
    case "workflow.created":
      return `${body.workflow}, root ${body.sessionId} as ${body.role}`
    case "handoff.offered":
      return `${body.handoffId} to ${body.toRole}`
    case "handoff.claimed":
      return `${body.handoffId} by ${body.sessionId}, try ${body.generation}`
    case "budget.reserved":
      return `${fromMicros(body.cost)} and ${body.tokens} tokens for ${body.preparedRequestId}`
    case "budget.returned":
      return body.preparedRequestId
    case "usage.settled":
      return `${fromMicros(body.usage.cost)} of a refused proposal`
    case "steps.proposed":
      // A model turn that asked for no tool has no steps.
      return body.steps.length === 0
        ? `${fromMicros(body.usage?.cost ?? 0)} of a turn without calls`
        : body.steps.map(({ stepId, tool, status }) => `${stepId} ${tool} ${status}`).join(", ")
    case "step.approved":
      return `${body.stepId}${because(body.reason)}`
    case "steps.resolved":
      return (
        body.steps.map(({ stepId, outcome, cost }) => `${stepId} ${outcome} for ${fromMicros(cost)}`).join(", ") +
        (body.late === true ? ", late" : "") +
        (body.rejected === true ? ", rejected" : "") +
        because(body.reason)
      )
    case "lease.renewed":
      return body.handoffId
    case "resources.released":
      return body.resources.map(({ name, key }) => `${name} ${key}`).join(", ")
    case "session.completed":
      return `${body.sessionId}${ended(body.ends)}`
    case "session.failed":
      return `${body.sessionId}${ended(body.ends)}${because(body.reason)}`
    case "handoff.reclaimed":
      return `${body.handoffId} from ${body.sessionId}: ${body.status}, try ${body.generation}${because(body.reason)}`
    case "handoff.withdrawn":
      return `${body.handoffId}${because(body.reason)}`
    case "handoff.expired":
      return body.handoffId
    case "killed":
      return (
        [body.scope, ...(body.sessionId === null ? [] : [body.sessionId])].join(" ") +
        `, ${body.killId}${ended(body.ends)}${because(body.reason)}`
      )
    case "limits.raised":
      return `${body.role ?? "workflow"}: ${Object.entries(body.limits).map(limitText).join(", ")}`
  }
}

/** As workflow.yaml writes it. */
const limitText = ([name, value]: readonly [string, number]): string => {
  if (name === "maxCost") return `max_cost ${fromMicros(value)}`
  if (name === "maxDurationMs") return `max_duration ${durationText(value)}`
  return `${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)} ${value}`
}

const ended = (ends: string | undefined): string => (ends === undefined ? "" : `, the workflow is ${ends}`)
const because = (reason: string | undefined): string =>
  reason === undefined || reason === "" ? "" : ` (${cell(reason)})`

/** Whether the event ended the workflow. */
export const endsWorkflow = ({ body }: JournalEvent): boolean => "ends" in body && body.ends !== undefined
