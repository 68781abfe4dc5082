/**
 * The history of a run: what was asked and answered, judged at the instant of each answer against what the store holds then.
 *
 * An answer of something that is not durable is wrong, and so is one that does not know of what was answered before it was asked:
 * the commands of one workflow are in one order, the one of its journal, for whoever asks on whatever node.
 */
import { Effect } from "effect"
import type { Answers, KillReceipt } from "../../machines/answers.ts"
import type { EventBody, EventTag, JournalEvent } from "../../machines/events.ts"
import { type Tenant, WorkflowId } from "../../machines/ids.ts"
import type { SessionRow } from "../../machines/projection.ts"
import type { WorkflowError } from "../../runtime/errors.ts"
import type { Journal } from "../../runtime/Journal.ts"
import type { Letter, Sendable } from "./Calls.ts"
import { Violation } from "./Violation.ts"

/** The events that a command may become. */
export const eventsOf: Readonly<Record<Sendable, ReadonlyArray<EventTag>>> = {
  createRoot: ["workflow.created"],
  claim: ["handoff.claimed"],
  attach: [],
  offer: ["handoff.offered"],
  preflight: ["budget.reserved"],
  propose: ["steps.proposed", "usage.settled"],
  receipt: ["steps.resolved"],
  heartbeat: ["lease.renewed"],
  release: ["resources.released"],
  complete: ["session.completed"],
  fail: ["session.failed"],
  completeHandoff: ["session.completed"],
  failHandoff: ["session.failed"],
  reclaim: ["handoff.reclaimed"],
  withdraw: ["handoff.withdrawn"],
  // What is dead already is answered with the cascade that ended it.
  kill: ["killed", "session.failed", "handoff.reclaimed"],
  resolveStep: ["steps.resolved"],
  approveStep: ["step.approved"],
  rejectStep: ["steps.resolved"],
  raiseLimits: ["limits.raised"],
}
/** They may be right and change nothing: they are answered at the head of that moment. */
const idle: ReadonlyArray<Sendable> = [
  "attach",
  "receipt",
  "heartbeat",
  "resolveStep",
  "approveStep",
  "rejectStep",
  "raiseLimits",
]
/** Asked again by whoever got it, or about what is dead, they are answered with what was. */
const repeatable: ReadonlyArray<Sendable> = ["createRoot", "claim", "offer", "kill"]
/** Nobody who sends what makes sense is ever told this. */
const faulty: ReadonlyArray<string> = ["internal", "storage_corrupt", "closed", "invalid_request", "invalid_definition"]

/** A call that was made, with what its caller could know then. */
export interface Call {
  readonly letter: Letter<Sendable>
  /** The last sequence of its workflow that somebody had been told. */
  readonly floor: number
  readonly senderWasDead: boolean
  /** Its session, or the handoff that it is about, had been told of. */
  readonly knewSession: boolean
  readonly knewHandoff: boolean
  /** Its key had been sent before. */
  readonly isRepeat: boolean
}

interface Acknowledged {
  readonly call: Call
  readonly answer: object
  /** The event of the answer, and its text. */
  readonly event: { readonly seq: number; readonly text: string } | undefined
}

interface Place {
  readonly tenant: Tenant
  readonly workflowId: string
}
const placeOf = ({ tenant, workflowId }: Place): string => `${tenant}/${workflowId}`

export class History {
  readonly #store: Journal["Service"]
  readonly #floors = new Map<string, number>()
  readonly #dead = new Set<string>()
  /** Sessions and handoffs that somebody was told of, each in its workflow: a session and a handoff may have the same id. */
  readonly #known = new Set<string>()
  readonly #claims = new Map<string, string>()
  /** The first answer under each key. */
  readonly #answers = new Map<string, string>()
  /** What each key was sent for. */
  readonly sent = new Map<string, Letter<Sendable>>()
  readonly acknowledged: Array<Acknowledged> = []

  /** `store` is looked into directly, past every fault. */
  constructor(store: Journal["Service"]) {
    this.#store = store
  }

  begin(letter: Letter<Sendable>): Call {
    const { tenant, key, input } = letter
    const known = key === undefined ? undefined : this.sent.get(keyIn(letter, key))
    if (key !== undefined && known === undefined) this.sent.set(keyIn(letter, key), letter)
    const sender = senderOf(letter)
    const handoff = textIn(input, "handoffId")
    return {
      letter,
      floor: this.#floors.get(placeOf(letter)) ?? 0,
      senderWasDead: sender !== undefined && this.#dead.has(`${tenant}/${sender}`),
      knewSession: sender !== undefined && this.#known.has(`${placeOf(letter)} session ${sender}`),
      knewHandoff: handoff !== undefined && this.#known.has(`${placeOf(letter)} handoff ${handoff}`),
      isRepeat: known !== undefined,
    }
  }

  refused(call: Call, error: WorkflowError): void {
    const { code } = error
    const about = `${call.letter.name} was answered with ${code}: ${error.detail}`
    if (faulty.includes(code)) throw new Violation("defect", about)
    const forgotten =
      (code === "workflow_not_found" && call.floor > 0) ||
      (code === "session_not_found" && call.knewSession) ||
      (code === "handoff_not_found" && call.knewHandoff)
    if (forgotten) throw new Violation("order", `${about}, after it was known to exist`)
    if (!this.#isTrue(call.letter, code)) throw new Violation("durable", `${about}, and the store says otherwise`)
  }

  /** A refusal because something has ended is an answer too: that it has must be durable. */
  #isTrue(letter: Letter<Sendable>, code: string): boolean {
    const { tenant, workflowId } = letter
    const at = WorkflowId.make(workflowId)
    const sender = senderOf(letter)
    const isSession = sender !== undefined && letter.name !== "reclaim" && letter.name !== "withdraw"
    const status = isSession && code.startsWith("session_") ? this.#session(letter, sender)?.status : undefined
    if (code === "session_killed" && status !== undefined) return status === "killed"
    if (code === "session_not_active" && status !== undefined) return status === "completed" || status === "failed"
    if (code === "workflow_killed" || code === "workflow_not_active") {
      const rows = this.#look(this.#store.listWorkflows(tenant, { limit: 1000 })).items
      const ended = rows.find((row) => row.workflowId === at)?.status
      return code === "workflow_killed" ? ended === "killed" : ended === "completed" || ended === "failed"
    }
    const id = textIn(letter.input, "handoffId")
    if (id !== undefined && (code === "handoff_already_claimed" || code === "handoff_closed")) {
      const row = this.#look(this.#store.lookup(tenant, at, { handoffs: [id] })).handoffs.get(id)
      return (
        row !== undefined && (row.status !== "offered" || (code === "handoff_already_claimed" && row.generation > 1))
      )
    }
    return true
  }

  answered(call: Call, answer: object): void {
    const { letter } = call
    const key = letter.key === undefined ? undefined : keyIn(letter, letter.key)
    const before = key === undefined ? undefined : this.#answers.get(key)
    const text = JSON.stringify(answer)
    // What is only looked at has no memory.
    if (before !== undefined && letter.name !== "attach") {
      if (before !== text) throw new Violation("I8", `${key} was answered with ${before}, and then with ${text}`)
      return
    }
    if (key !== undefined) this.#answers.set(key, text)
    const seq = "seq" in answer && typeof answer.seq === "number" ? answer.seq : undefined
    const event = seq === undefined ? undefined : this.#durable(call, seq)
    if (event !== undefined) this.#journalled(call, event, answer)
    this.#ordered(call, seq)
    this.#specific(call, answer)
    this.acknowledged.push({ call, answer, event: event && { seq: event.event.seq, text: event.text } })
    if (seq !== undefined) this.#floors.set(placeOf(letter), Math.max(seq, this.#floors.get(placeOf(letter)) ?? 0))
  }

  #durable(call: Call, seq: number): { readonly event: JournalEvent; readonly text: string } {
    const { letter } = call
    const [entry] = this.#look(this.#store.read(letter.tenant, WorkflowId.make(letter.workflowId), seq - 1, 1))
    if (entry?.seq !== seq)
      throw new Violation("durable", `${letter.name} was answered at ${seq}, and the journal has no such event`)
    return { event: JSON.parse(entry.text) as JournalEvent, text: entry.text }
  }

  /** I7: the event at which it is answered is what it became. */
  #journalled({ letter }: Call, { event }: { readonly event: JournalEvent }, answer: object): void {
    const { name, input } = letter
    const fits = eventsOf[name].includes(event.body._tag)
    if (idle.includes(name)) return
    if (!fits) throw new Violation("I7", `${name} was answered at ${event.seq}, which is ${event.body._tag}`)
    const body: EventBody & Readonly<Record<string, unknown>> = event.body
    const said: Readonly<Record<string, unknown>> = { ...input, ...answer }
    for (const member of ["handoffId", "preparedRequestId", "killId", "toRole"]) {
      const wrong = member in said && member in body && said[member] !== body[member]
      if (wrong && said[member] !== undefined && said[member] !== null && !aboutOthers.includes(name))
        throw new Violation(
          "I7",
          `${name} was answered with ${member} ${String(said[member])}, not that of event ${event.seq}`,
        )
    }
    if (event.body._tag === "steps.proposed" && "steps" in answer) {
      const steps = (list: unknown) =>
        JSON.stringify((list as Answers["propose"]["steps"]).map((step) => [step.stepId, step.status, step.fences]))
      if (steps(event.body.steps) !== steps(answer.steps))
        throw new Violation("I7", `the steps of event ${event.seq} are not those that were answered`)
    }
  }

  /** The answer knows of all that had been answered when it was asked for, and nobody dead gets one. */
  #ordered(call: Call, seq: number | undefined): void {
    const { letter, floor, isRepeat, senderWasDead } = call
    if (isRepeat || repeatable.includes(letter.name)) return
    if (seq !== undefined && seq < floor)
      throw new Violation("order", `${letter.name} was answered at ${seq}, but asked for after ${floor} was answered`)
    if (senderWasDead)
      throw new Violation("I5", `${letter.name} of a session that was known to have ended was carried out`)
  }

  #specific({ letter }: Call, answer: object): void {
    const { name, input, tenant } = letter
    if (name === "createRoot" || name === "claim") {
      const { sessionId, handoff } = answer as Answers["claim"]
      this.#known.add(`${placeOf(letter)} session ${sessionId}`)
      const row = this.#session(letter, sessionId)
      if (row?.workflowId !== letter.workflowId)
        throw new Violation("durable", `${name} was answered with ${sessionId}, which the store does not have`)
      if (handoff === null) return
      const generation = `${placeOf(letter)} ${handoff.handoffId} ${handoff.generation}`
      const first = this.#claims.get(generation) ?? sessionId
      if (first !== sessionId) throw new Violation("I1", `${generation} was given to ${first} and to ${sessionId}`)
      this.#claims.set(generation, sessionId)
    }
    if ((name === "complete" || name === "fail") && "sessionId" in input) this.#dead.add(`${tenant}/${input.sessionId}`)
    if (name === "offer") this.#known.add(`${placeOf(letter)} handoff ${textIn(answer, "handoffId")}`)
    if (name === "kill") this.#killed(letter, answer as KillReceipt)
  }

  /** After the answer of a kill nothing lives of what it was to kill. */
  #killed(letter: Letter<Sendable>, receipt: KillReceipt): void {
    const input = letter.input as Letter<"kill">["input"]
    for (const sessionId of receipt.sessions) this.#dead.add(`${letter.tenant}/${sessionId}`)
    const rows = this.#look(
      this.#store.listSessions(letter.tenant, { workflowId: receipt.workflowId, open: true, limit: 1000 }),
    ).items
    const survivor = rows.find(
      (row) =>
        input.scope === "workflow" ||
        row.sessionId === input.sessionId ||
        (input.scope === "subtree" && input.sessionId !== undefined && this.#isBelow(letter, row, input.sessionId)),
    )
    if (survivor !== undefined)
      throw new Violation(
        "I5",
        `${survivor.sessionId} lives after the ${input.scope} kill ${receipt.killId} was answered`,
      )
  }

  #isBelow(place: Place, row: SessionRow, ancestor: string): boolean {
    for (let above = row.parentSessionId; above !== null; ) {
      if (above === ancestor) return true
      above = this.#session(place, above)?.parentSessionId ?? null
    }
    return false
  }

  #session({ tenant, workflowId }: Place, sessionId: string): SessionRow | undefined {
    return this.#look(this.#store.lookup(tenant, WorkflowId.make(workflowId), { sessions: [sessionId] })).sessions.get(
      sessionId,
    )
  }

  #look<A, E>(effect: Effect.Effect<A, E>): A {
    return Effect.runSync(effect)
  }
}

const withoutSender: ReadonlyArray<Sendable> = ["createRoot", "claim", "kill"]
/** The session that sends it; those commands name another one, or none yet. */
const senderOf = ({ name, input }: Letter<Sendable>): string | undefined =>
  withoutSender.includes(name) ? undefined : textIn(input, "sessionId")
const textIn = (input: object, name: string): string | undefined => {
  const value: unknown = Object.entries(input).find(([member]) => member === name)?.[1]
  return typeof value === "string" ? value : undefined
}

const keyIn = (place: Place, key: string): string => `${placeOf(place)} ${key}`

/** Their events name whom they concern, not what was sent. */
const aboutOthers: ReadonlyArray<Sendable> = ["completeHandoff", "failHandoff"]
