/** A history as the histories of its handoffs: one for each workflow and handoff, with what others' commands did to it. */
import { type Fields, fieldsOf, listOf, numberOf, textOf } from "./fields.ts"
import type { HandoffAction } from "./handoffModel.ts"
import type { Recorded } from "./history.ts"
import type { Operation } from "./linearizable.ts"

export interface HandoffHistory {
  readonly partition: string
  readonly operations: ReadonlyArray<Operation<HandoffAction>>
  /** Something that the history does not show may end it. */
  readonly mayBeKilled: boolean
}

const openStatus = ["offered", "claimed", "in_progress"]

/** `mayBeKilled` says so of all handoffs; else only those are that were not offered by a root session. */
export const handoffHistories = (
  history: ReadonlyArray<Recorded>,
  mayBeKilled: boolean,
): ReadonlyArray<HandoffHistory> => {
  const projection = new Projection(history)
  for (const one of history) projection.add(one)
  return projection.histories(mayBeKilled)
}

/** Where a session is: what was claimed as it, and under whom. */
interface Place {
  readonly handoffId: string
  readonly parent: string | undefined
}

class Projection {
  readonly #byHandoff = new Map<string, Array<Operation<HandoffAction>>>()
  /** Of one workflow, all that may have ended everything in it. */
  readonly #ends = new Map<string, Array<Recorded>>()
  readonly #places = new Map<string, Place>()
  readonly #sessionOfStep = new Map<string, string>()
  readonly #roots = new Set<string>()
  readonly #offeredBy = new Map<string, string>()

  constructor(history: ReadonlyArray<Recorded>) {
    for (const { workflowId, command, input, outcome, process, call } of history) {
      const answer = outcome?.ok === true ? outcome.answer : {}
      if (command === "createRoot") this.#roots.add(textOf(answer.sessionId) ?? textOf(input.sessionId) ?? "")
      if (command === "claim" && outcome?.ok !== false) {
        const session = textOf(answer.sessionId) ?? textOf(input.sessionId) ?? anonymous(process, call)
        this.#places.set(session, {
          handoffId: textOf(input.handoffId) ?? "",
          parent: textOf(input.parentSessionId),
        })
      }
      if (command === "getWorkflow" || command === "getHandoff")
        for (const handoff of [answer, ...listOf(answer.handoffs)]) this.#saw(handoff)
      if (command === "propose")
        for (const { stepId } of listOf(answer.steps))
          this.#sessionOfStep.set(textOf(stepId) ?? "", textOf(input.sessionId) ?? "")
      if (command === "offer")
        this.#offeredBy.set(
          `${workflowId} ${textOf(answer.handoffId) ?? textOf(input.handoffId) ?? ""}`,
          textOf(input.sessionId) ?? "",
        )
    }
  }

  /** Whoever holds a handoff, also where its claim had no answer. */
  #saw(handoff: Fields): void {
    const session = textOf(handoff.claimedBy) ?? textOf(handoff.sessionId)
    const handoffId = textOf(handoff.handoffId)
    if (session === undefined || handoffId === undefined || this.#places.has(session)) return
    this.#places.set(session, { handoffId, parent: textOf(handoff.fromSessionId) })
  }

  histories(mayBeKilled: boolean): ReadonlyArray<HandoffHistory> {
    for (const [workflowId, ends] of this.#ends)
      for (const [partition] of this.#byHandoff)
        if (partition.startsWith(`${workflowId} `)) for (const one of ends) this.#put(partition, one, { kind: "kill" })
    return Array.from(this.#byHandoff, ([partition, operations]) => ({
      partition,
      operations: operations.some(({ action }) => action.kind === "offer") ? operations : [unseen, ...operations],
      mayBeKilled: mayBeKilled || !this.#roots.has(this.#offeredBy.get(partition) ?? ""),
    }))
  }

  add(one: Recorded): void {
    const { workflowId, command, input, outcome } = one
    const named = textOf(input.handoffId)
    const at = (handoffId: string | undefined): string | undefined =>
      handoffId === undefined ? undefined : `${workflowId} ${handoffId}`
    if (outcome?.ok === false) {
      this.#put(at(textOf(outcome.facts.handoffId)), one, readOf(outcome.facts))
      return
    }
    const answer = outcome?.answer ?? {}
    const session = textOf(input.sessionId)
    switch (command) {
      case "offer":
        this.#put(at(textOf(answer.handoffId) ?? named), one, {
          kind: "offer",
          offeredAt: numberOf(answer.offeredAt),
          lease: outcome === undefined ? undefined : (numberOf(answer.offerDeadline) ?? null),
        })
        break
      case "claim":
        this.#put(at(named), one, claimOf(one, answer))
        break
      case "withdraw":
        this.#put(at(named), one, moveOf(one, answer, ["offered"], "withdrawn"))
        break
      case "reclaim":
        this.#put(at(named), one, moveOf(one, answer, ["claimed"], undefined))
        break
      case "completeHandoff":
        this.#put(at(named), one, moveOf(one, answer, ["claimed", "in_progress"], "completed"))
        break
      case "failHandoff":
        this.#put(at(named), one, moveOf(one, answer, ["claimed", "in_progress"], "failed"))
        break
      case "complete":
      case "fail":
        this.#sessionEnded(one, answer)
        break
      case "kill":
        this.#killed(one, answer)
        break
      case "receipt":
        if (session !== undefined && isCommit(one)) this.#progress(one, session, true)
        break
      case "resolveStep": {
        const owner = this.#sessionOfStep.get(textOf(input.stepId) ?? "")
        if (owner !== undefined && (outcome === undefined || answer.status === "committed"))
          this.#progress(one, owner, false)
        break
      }
      case "heartbeat":
        if (session !== undefined && outcome !== undefined)
          this.#put(at(this.#places.get(session)?.handoffId), one, {
            kind: "renew",
            session,
            lease: numberOf(answer.claimDeadline) ?? null,
          })
        break
      case "getHandoff":
        this.#put(at(textOf(answer.handoffId)), one, readOf(answer))
        break
      case "getWorkflow":
        for (const handoff of listOf(answer.handoffs)) this.#put(at(textOf(handoff.handoffId)), one, readOf(handoff))
    }
  }

  #put(partition: string | undefined, one: Recorded, action: HandoffAction | undefined): void {
    if (partition === undefined || action === undefined) return
    const list = this.#byHandoff.get(partition) ?? []
    list.push({ process: one.process, action, call: one.call, return: one.return })
    this.#byHandoff.set(partition, list)
  }

  /** The claimant ends its handoff; a root's failure ends them all. */
  #sessionEnded(one: Recorded, answer: Fields): void {
    const session = textOf(one.input.sessionId) ?? ""
    const place = this.#places.get(session)
    const to = one.command === "complete" ? "completed" : "failed"
    const handoffId = place?.handoffId ?? textOf(answer.handoffId)
    if (handoffId !== undefined)
      this.#put(`${one.workflowId} ${handoffId}`, one, {
        kind: "move",
        from: ["claimed", "in_progress"],
        to,
        generation: undefined,
        named: undefined,
        by: session,
      })
    else if (one.outcome === undefined || answer.workflowStatus !== "active") this.#endsAll(one)
  }

  #killed(one: Recorded, answer: Fields): void {
    if (one.outcome === undefined) {
      this.#endsAll(one)
      return
    }
    const ids = Array.isArray(answer.handoffs) ? answer.handoffs : []
    if (one.input.scope === "workflow") this.#endsAll(one)
    else for (const id of ids) this.#put(`${one.workflowId} ${String(id)}`, one, { kind: "kill" })
  }

  #endsAll(one: Recorded): void {
    const ends = this.#ends.get(one.workflowId) ?? []
    ends.push(one)
    this.#ends.set(one.workflowId, ends)
  }

  /** The claimed handoffs of the session and of its ancestors: whoever delegates makes progress too. */
  #progress(one: Recorded, of: string, alive: boolean): void {
    let session: string | undefined = of
    // A session has at most as many ancestors as there are sessions.
    for (let depth = 0; session !== undefined && depth <= this.#places.size; depth++) {
      const place = this.#places.get(session)
      if (place === undefined) return
      const action = { kind: "progress", session, own: alive && session === of } as const
      this.#put(`${one.workflowId} ${place.handoffId}`, one, action)
      session = place.parent
    }
  }
}

/** The offer of a handoff whose id its offerer was never told. */
const unseen: Operation<HandoffAction> = {
  process: "unseen",
  action: { kind: "offer", offeredAt: undefined, lease: undefined },
  call: Number.NEGATIVE_INFINITY,
  return: Number.POSITIVE_INFINITY,
}

const anonymous = (process: string, call: number): string => `?${process}:${call}`

const claimOf = ({ process, call, input, outcome }: Recorded, answer: Fields): HandoffAction => {
  const handoff = fieldsOf(answer.handoff)
  return {
    kind: "claim",
    session: textOf(answer.sessionId) ?? textOf(input.sessionId) ?? anonymous(process, call),
    generation: numberOf(handoff.generation),
    named: numberOf(input.generation),
    lease: outcome === undefined ? undefined : (numberOf(handoff.claimDeadline) ?? null),
  }
}

const moveOf = (
  { input }: Recorded,
  answer: Fields,
  from: ReadonlyArray<string>,
  to: string | undefined,
): HandoffAction => ({
  kind: "move",
  from,
  to: textOf(answer.status) ?? to,
  generation: numberOf(answer.generation),
  named: numberOf(input.generation),
  by: undefined,
})

/** Undefined where it tells nothing of the handoff's state. */
const readOf = (seen: Fields): HandoffAction | undefined => {
  const status = textOf(seen.status)
  if (status === undefined) return undefined
  const claimedBy = seen.claimedBy ?? seen.sessionId
  return {
    kind: "read",
    status,
    generation: numberOf(seen.generation),
    claimedBy: openStatus.includes(status) ? (claimedBy === null ? null : textOf(claimedBy)) : undefined,
  }
}

const isCommit = ({ input, outcome }: Recorded): boolean =>
  outcome?.ok !== true
    ? listOf(input.receipts).some((item) => item.outcome === "committed")
    : listOf(outcome.answer.steps).some((step) => step.status === "committed")
