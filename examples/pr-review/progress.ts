/**
 * Live progress: one line for each event of the workflow, in plain words, with the seconds since the start.
 *
 * An event names sessions and handoffs by id; the reader thinks in roles. `Progress` remembers, from the events that it
 * was given, who is who. It must therefore see a workflow from its first event on.
 */
import type { JournalEvent } from "handrail"
import type { Colour, Paint } from "./terminal.ts"
import { clip, money, pad, painter, plain } from "./terminal.ts"

type EventBody = JournalEvent["body"]

export interface ProgressOptions {
  /** Takes one line, without its newline. */
  readonly write: (line: string) => void
  /** Epoch ms that the offsets are counted from. Default: the time of the first event. */
  readonly startedAt?: number
  readonly columns?: number
  readonly colour?: boolean
}

export class Progress {
  readonly #write: (line: string) => void
  readonly #columns: number
  readonly #paint: Paint
  #startedAt: number | null
  readonly #names = new Names()

  constructor({ write, startedAt, columns = 100, colour = false }: ProgressOptions) {
    this.#write = write
    this.#columns = columns
    this.#paint = painter(colour)
    this.#startedAt = startedAt ?? null
  }

  event({ at, body }: Pick<JournalEvent, "at" | "body">): void {
    const [who, text, colour] = describe(body, this.#names)
    this.#line(at, who, text, colour)
  }

  /** A line of the program itself: a process started, a claim was lost. */
  note(at: number, who: string, text: string, colour: Colour = "dim"): void {
    this.#line(at, who, text, colour)
  }

  #line(at: number, who: string, text: string, colour: Colour): void {
    this.#startedAt ??= at
    const seconds = `${((at - this.#startedAt) / 1000).toFixed(2).padStart(7)}s`
    const shown = clip(plain(text), this.#columns - 27)
    this.#write(
      `${this.#paint("dim", seconds)}  ${this.#paint("bold", pad(plain(who), 16))} ${this.#paint(colour, shown)}`,
    )
  }
}

/** Roles of the sessions and handoffs seen so far. */
class Names {
  readonly #sessions = new Map<string, string>()
  readonly #handoffs = new Map<string, string>()
  readonly #tools = new Map<string, string>()
  session(id: string): string {
    return this.#sessions.get(id) ?? id
  }
  handoff(id: string): string {
    return this.#handoffs.get(id) ?? id
  }
  tool(stepId: string): string {
    return this.#tools.get(stepId) ?? stepId
  }
  learnSession(id: string, role: string): void {
    this.#sessions.set(id, role)
  }
  learnHandoff(id: string, role: string): void {
    this.#handoffs.set(id, role)
  }
  learnTool(stepId: string, tool: string): void {
    this.#tools.set(stepId, tool)
  }
}

/** Who the line is about, what it says, its colour. */
type Words = readonly [who: string, text: string, colour: Colour]

const ended = (body: { readonly ends?: string }): string =>
  body.ends === undefined ? "" : `; the workflow is ${body.ends}`

const describe = (body: EventBody, names: Names): Words => {
  switch (body._tag) {
    case "workflow.created":
      names.learnSession(body.sessionId, body.role)
      return [body.role, `${body.agent} starts the workflow ${body.workflowId}`, "bold"]
    case "handoff.offered":
      names.learnHandoff(body.handoffId, body.toRole)
      return [
        names.session(body.sessionId),
        `offers ${body.handoffId} to ${body.toRole}${bound(body.resources)}`,
        "cyan",
      ]
    case "handoff.claimed":
      names.learnSession(body.sessionId, names.handoff(body.handoffId))
      return [
        names.handoff(body.handoffId),
        `${body.agent} claims ${body.handoffId}, generation ${body.generation}`,
        "cyan",
      ]
    case "steps.proposed":
      for (const { stepId, tool } of body.steps) names.learnTool(stepId, tool)
      return [names.session(body.sessionId), body.steps.map(proposed).join(", "), "dim"]
    case "step.approved":
      return [names.session(body.sessionId), "has an approval", "green"]
    case "steps.resolved":
      return resolved(body, names)
    case "session.completed":
      return [
        names.session(body.sessionId),
        `completes${body.handoffId === null ? "" : ` ${body.handoffId}`}${ended(body)}`,
        "green",
      ]
    case "session.failed":
      return [names.session(body.sessionId), `gives up: ${body.reason}${ended(body)}`, "red"]
    case "handoff.reclaimed":
      return [names.handoff(body.handoffId), reclaimed(body), "yellow"]
    case "handoff.withdrawn":
      return [names.handoff(body.handoffId), `${body.handoffId} is withdrawn: ${body.reason}`, "yellow"]
    case "handoff.expired":
      return [names.handoff(body.handoffId), `nobody claimed ${body.handoffId} in time`, "yellow"]
    case "killed": {
      const target = body.sessionId === null ? "workflow" : names.session(body.sessionId)
      return [target, `KILLED (${body.scope}): ${body.reason}${ended(body)}`, "red"]
    }
    case "resources.released":
      return [names.session(body.sessionId), `releases ${list(body.resources)}`, "dim"]
    case "lease.renewed":
      return [names.session(body.sessionId), `is alive: the lease of ${body.handoffId} is renewed`, "dim"]
    case "budget.reserved":
      return [names.session(body.sessionId), `reserves ${money(body.cost / 1e6)}`, "dim"]
    case "budget.returned":
      return ["budget", `a reservation returns (${body.preparedRequestId})`, "dim"]
    case "usage.settled":
      return [body.role, `had spent ${money(body.usage.cost / 1e6)} on a turn that was refused`, "yellow"]
    case "limits.raised":
      return [body.role ?? "workflow", `an operator raises limits: ${raised(body.limits)}`, "yellow"]
  }
}

const raised = (limits: Readonly<Record<string, number>>): string =>
  Object.entries(limits)
    .map(([name, value]) => `${name} to ${name === "maxCost" ? money(value / 1e6) : value}`)
    .join(", ")
const list = (resources: readonly { readonly name: string; readonly key: string }[]): string =>
  resources.map(({ name, key }) => `${name}/${key}`).join(", ")
const bound = (resources: readonly { readonly name: string; readonly key: string }[]): string =>
  resources.length === 0 ? "" : `, with ${list(resources)}`

type Proposed = Extract<EventBody, { readonly _tag: "steps.proposed" }>
const proposed = ({ tool, status, fences, resources }: Proposed["steps"][number]): string => {
  if (status === "queued") return `${tool} waits for ${list(resources)}`
  const tokens = fences.map(({ name, token }) => `${name} token ${token}`).join(", ")
  return `${tool} is admitted${tokens === "" ? "" : ` (${tokens})`}`
}

const resolved = (body: Extract<EventBody, { readonly _tag: "steps.resolved" }>, names: Names): Words => {
  const steps = body.steps.map(
    ({ stepId, outcome, cost }) => `${names.tool(stepId)} ${outcome}${cost > 0 ? ` for ${money(cost / 1e6)}` : ""}`,
  )
  const progress = (body.progressed ?? []).map((handoffId) => `; ${handoffId} is in progress`).join("")
  const next = (body.admitted ?? []).map(({ stepId }) => `; ${names.tool(stepId)} may go on`).join("")
  const late = body.late === true ? " (too late to count)" : ""
  const bad = body.steps.some(({ outcome }) => outcome !== "committed")
  return [
    names.session(body.sessionId),
    `${steps.join(", ")}${late}${progress}${next}`,
    bad || late !== "" ? "yellow" : "green",
  ]
}

const reclaimed = (body: Extract<EventBody, { readonly _tag: "handoff.reclaimed" }>): string => {
  const now = body.status === "offered" ? `offered again, generation ${body.generation}` : body.status
  return `${body.handoffId} is reclaimed (${body.reason}): ${now}${ended(body)}`
}
