/**
 * The actor of one workflow: its only writer in this process (architecture.md, "The write path").
 *
 * It takes all that waits in its mailbox, decides one after another on its state in memory and evolves that state at once. What
 * it decided goes to the journal as a batch, and only when the batch is durable are its answers given and its events
 * announced. While one batch is being written the next is decided. A batch that the journal refuses throws the state away: it
 * is read again, and the same commands are decided again.
 *
 * It is a plain object driven by callbacks, because a fiber and a deferred for each command would cost more than the rules.
 */

import type { Command } from "../machines/commands.ts"
import type { Decision, Facts } from "../machines/decide/context.ts"
import { isDue } from "../machines/decide/deadlines.ts"
import { decide, decideBirth } from "../machines/decide/index.ts"
import { isBehind, needs, needsAlso, presumedNew } from "../machines/decide/needs.ts"
import type { EventBody, JournalEvent } from "../machines/events.ts"
import { evolve, birth as stateBefore } from "../machines/evolve/index.ts"
import type { Json, Tenant, WorkflowId } from "../machines/ids.ts"
import { type AnswerRow, type Archive, type ArchiveRefs, emptyArchive, mergeArchives } from "../machines/projection.ts"
import { takeSnapshot } from "../machines/snapshot.ts"
import { openThings, type State } from "../machines/state.ts"
import type { ActorHost } from "./ActorHost.ts"
import { AnswerCache } from "./AnswerCache.ts"
import { Batch } from "./Batch.ts"
import { fail, fromRefusal, fromStorage, type WorkflowError } from "./errors.ts"
import { type Append, type Appended, genesisHash, type StorageError } from "./Journal.ts"
import { limits } from "./limits.ts"
import type { CommandWork, Work } from "./Work.ts"

/** `ready` decides; `loading` and `looking` wait for the store; `stale` has to load before it decides. */
type Phase = "stale" | "loading" | "ready" | "looking"

const tickCommand = (workflowId: WorkflowId): Command => ({ _tag: "tick", workflowId })

export class Actor {
  readonly tenant: Tenant
  readonly workflowId: WorkflowId
  readonly #host: ActorHost
  #phase: Phase = "stale"
  #state: State | undefined
  #hash = genesisHash
  #snapshotSeq = 0
  /** What `wakeAt` says in the store; undefined when it isn't known. */
  #wakeAt: number | null | undefined
  #mailbox: Array<Work> = []
  /** Decided in this turn on a state that a defect has thrown away: to be decided again, before all that waits. */
  #again: Array<Work> = []
  #scheduled = false
  #pending: Batch | undefined
  #inFlight: Batch | undefined
  #answers = new AnswerCache()
  lastUsed = 0

  constructor(tenant: Tenant, workflowId: WorkflowId, host: ActorHost) {
    this.tenant = tenant
    this.workflowId = workflowId
    this.#host = host
  }

  /** Takes a request, or refuses it at once where too many wait. */
  submit(work: Work): void {
    if (this.#mailbox.length >= limits.mailbox) {
      work.settle(fail("overloaded", `${limits.mailbox} commands wait for workflow ${this.workflowId}.`), undefined)
      return
    }
    const stages = this.#host.stages
    if (stages !== undefined) work.since = stages.now()
    this.#mailbox.push(work)
    this.#schedule()
  }

  /** Looks at its deadlines, as a request that nobody waits for. */
  wake(): void {
    if (this.#mailbox.length === 0)
      this.submit({ _tag: "query", read: () => null, settle: () => {}, tries: 0, archive: undefined, readBack: false })
  }

  /** Nothing waits, nothing is being written, nobody listens: it can be put away without anybody noticing. */
  get isIdle(): boolean {
    return (
      this.#mailbox.length === 0 &&
      this.#pending === undefined &&
      this.#inFlight === undefined &&
      (this.#phase === "ready" || this.#phase === "stale")
    )
  }

  /** False once it is known that the workflow does not exist: such an actor isn't worth keeping. */
  get hasWorkflow(): boolean {
    return this.#state !== undefined
  }

  /** The earliest deadline of the state in memory. */
  get nextDeadline(): number | null {
    return this.#state?.deadlines.earliest(this.#state)?.at ?? null
  }

  /** For a survey: how many wait, and the state, which must not be kept. */
  glance(): { readonly depth: number; readonly state: State | undefined } {
    return { depth: this.#mailbox.length, state: this.#state }
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#host.schedule(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    if (this.#phase === "stale") this.#load()
    else if (this.#phase === "ready") this.#drain()
  }

  // ---- deciding ----

  #drain(): void {
    const { stages, telemetry } = this.#host
    telemetry?.turn(this.#mailbox.length)
    return stages === undefined ? this.#decideAll() : stages.turn(this.#mailbox, () => this.#decideAll())
  }

  #decideAll(): void {
    this.lastUsed = this.#host.now()
    const waiting = this.#mailbox
    this.#mailbox = []
    for (const [index, work] of waiting.entries()) {
      // A defect threw the state away: the rest waits until it is loaded again.
      if (this.#phase === "ready" && this.#decideSafely(work)) continue
      // It must first read the store back: whatever came after it waits behind it.
      this.#mailbox = waiting.slice(index).concat(this.#mailbox)
      break
    }
    // What a defect threw away had come before all of that.
    this.#mailbox = this.#again.concat(this.#mailbox)
    this.#again = []
    if (this.#phase === "stale") this.#schedule()
    this.#flush()
  }

  /** A bug in the rules, or a journal that does not fit them, fails the one request and never the process. */
  #decideSafely(work: Work): boolean {
    try {
      return this.#decideOne(work)
    } catch (defect) {
      this.#again = this.#pending?.outcomes.map((outcome) => outcome.work).filter((other) => other !== work) ?? []
      this.#pending = undefined
      this.#forget()
      this.#host.defect(defect, this)
      work.settle(fail("internal", "Deciding this failed. It is a bug in Handrail; nothing was written."), undefined)
      return true
    }
  }

  /** Decides one request. False when it needs something from the store first. */
  #decideOne(work: Work): boolean {
    const now = this.#host.now()
    // What was read back for it was all that the state did not hold; it holds less now.
    if (this.#fireDeadlines(now)) work.readBack = false
    const state = this.#state
    if (work._tag === "query") {
      const error = state === undefined ? this.#notFound() : undefined
      this.#batch().outcomes.push({ work, error, answer: state === undefined ? undefined : work.read(state) })
      return true
    }
    const refs = this.#missing(work)
    if (refs !== undefined) {
      this.#lookUp(work, refs)
      return false
    }
    const replay = this.#replay(work)
    if (replay !== undefined) {
      this.#batch().outcomes.push(replay)
      return true
    }
    const remembered = this.#remembered(work)
    const facts: Facts = {
      now,
      actor: work.actor,
      id: this.#host.id,
      archive: work.archive ?? emptyArchive,
      ...(remembered === undefined ? {} : { usageSettled: true }),
    }
    const decision =
      state === undefined
        ? decideBirth(this.workflowId, work.command, work.birth?.rules, facts)
        : decide(state, work.command, facts)
    const doubted = decision.events.length === 0 && remembered === undefined ? this.#doubted(work, decision) : undefined
    if (doubted !== undefined) {
      this.#lookUp(work, doubted)
      return false
    }
    this.#carryOut(work, decision, now)
    return true
  }

  #carryOut(work: CommandWork, decision: Decision<unknown>, now: number): void {
    const batch = this.#batch()
    for (const body of decision.events) this.#append(batch, body, now, work.actor, work)
    const accepted = decision._tag === "accepted"
    batch.outcomes.push({
      work,
      error: accepted ? undefined : fromRefusal(decision.refusal),
      answer: accepted ? decision.answer : undefined,
    })
    if (work.key !== undefined && (accepted || decision.events.length > 0) && work.command._tag !== "attach")
      this.#remember(batch, work, work.key, accepted ? (decision.answer as Json) : null)
  }

  /** A refused command that was recorded all the same (usage, a late receipt) keeps its key without an answer. */
  #remember(batch: Batch, work: CommandWork, key: string, answer: Json): void {
    const row: AnswerRow = { key, fingerprint: work.fingerprint, answer }
    this.#answers.remember(row)
    batch.projections.push({ _tag: "answered", row })
  }

  /** Deadlines that are due come before any command of the same moment (semantics.md §9). True if one fired. */
  #fireDeadlines(now: number): boolean {
    let fired = false
    while (this.#state !== undefined && isDue(this.#state, now)) {
      const facts: Facts = { now, actor: "system", id: this.#host.id, archive: emptyArchive }
      const { events } = decide(this.#state, tickCommand(this.workflowId), facts)
      const batch = this.#batch()
      for (const body of events) this.#append(batch, body, now, "system", undefined)
      fired = true
    }
    return fired
  }

  #append(batch: Batch, body: EventBody, at: number, actor: string, work: CommandWork | undefined): void {
    const seq = (this.#state?.seq ?? 0) + 1
    const key = work?.key
    const event: JournalEvent = key === undefined ? { seq, at, actor, body } : { seq, at, actor, key, body }
    if (this.#state === undefined) {
      if (work?.birth === undefined) throw new Error(`workflow ${this.workflowId} is born without a definition`)
      this.#state = stateBefore(event, work.birth.rules)
      batch.definition = { hash: work.birth.rules.hash, text: work.birth.text }
      this.#answers.startsEmpty()
    }
    evolve(this.#state, event, batch.projections)
    const stages = this.#host.stages
    const start = stages?.now() ?? 0
    const text = JSON.stringify(event)
    this.#hash = this.#host.hash(this.#hash + text)
    batch.entries.push({ seq, text, hash: this.#hash })
    if (stages !== undefined) stages.totals.encode += stages.now() - start
  }

  #batch(): Batch {
    this.#pending ??= new Batch(this.#state?.seq ?? 0)
    return this.#pending
  }

  #notFound(): WorkflowError {
    return fail("workflow_not_found", `There is no workflow ${this.workflowId}.`, { workflowId: this.workflowId })
  }

  // ---- idempotency ----

  /** The remembered answer under the command's key, in memory or read back. */
  #remembered(work: CommandWork): AnswerRow | undefined {
    if (work.key === undefined) return undefined
    return this.#answers.get(work.key) ?? work.archive?.answers.get(work.key)
  }

  #replay(work: CommandWork): { work: Work; error: WorkflowError | undefined; answer: unknown } | undefined {
    const row = this.#remembered(work)
    if (row === undefined) return undefined
    if (row.fingerprint !== work.fingerprint)
      return {
        work,
        error: fail("idempotency_mismatch", `Key ${row.key} was used for another command. Choose a new key.`, {
          key: row.key,
        }),
        answer: undefined,
      }
    return row.answer === null ? undefined : { work, error: undefined, answer: row.answer }
  }

  // ---- reading back ----

  #missing(work: CommandWork): ArchiveRefs | undefined {
    if (work.readBack) return this.#state && work.archive && needsAlso(this.#state, work.command, work.archive)
    const refs = this.#state === undefined ? undefined : needs(this.#state, work.command)
    if (work.key === undefined || this.#state === undefined) return refs
    return refs === undefined && this.#answers.knows(work.key) ? undefined : { ...refs, answers: [work.key] }
  }

  /**
   * What a decision that changes nothing has presumed: that an id is new, and that the key is, because every key of a
   * workflow that was born here is known. But another runtime may have carried out what changed nothing either, and then
   * no conflict tells.
   */
  #doubted(work: CommandWork, decision: Decision<unknown>): ArchiveRefs | undefined {
    if (work.readBack || this.#state === undefined) return undefined
    const ids = decision._tag === "refused" ? presumedNew(this.#state, work.command) : undefined
    return work.key === undefined || work.command._tag === "attach" ? ids : { ...ids, answers: [work.key] }
  }

  /** Reads rows back. They must include everything decided so far, so the present batch has to be durable first. */
  #lookUp(work: CommandWork, refs: ArchiveRefs): void {
    this.#phase = "looking"
    this.#whenDurable = () => {
      this.#host.lookup(this.tenant, this.workflowId, refs, (error, archive) => {
        this.#phase = "ready"
        if (error !== undefined) {
          this.#mailbox.shift()
          work.settle(fromStorage(error), undefined)
        } else if (this.#isOvertaken(work, archive)) this.#forget()
        else {
          work.archive = mergeArchives(work.archive, archive)
          work.readBack = true
        }
        this.#schedule()
      })
    }
    if (this.#pending === undefined && this.#inFlight === undefined) this.#runWhenDurable()
  }

  /** The store is ahead of the state: it is read again, as often as a command is decided again for the same reason. */
  #isOvertaken(work: Work, archive: Archive): boolean {
    if (this.#state === undefined || !isBehind(this.#state, archive)) return false
    work.tries += 1
    return work.tries <= limits.conflictRetries
  }

  #whenDurable: (() => void) | undefined

  #runWhenDurable(): void {
    const then = this.#whenDurable
    this.#whenDurable = undefined
    then?.()
  }

  // ---- writing ----

  #flush(): void {
    if (this.#pending !== undefined && this.#inFlight === undefined) this.#host.enlist(this)
  }

  /** The next append for the journal, when the committer has room for it. */
  takeAppend(): Append | undefined {
    const batch = this.#pending
    if (batch === undefined || this.#inFlight !== undefined) return undefined
    this.#pending = undefined
    this.#inFlight = batch
    this.#addWakeAt(batch)
    this.#addSnapshot(batch)
    const { tenant, workflowId } = this
    const { expectedSeq, entries, projections, definition, snapshot } = batch
    return {
      tenant,
      workflowId,
      expectedSeq,
      entries,
      projections,
      ...(definition === undefined ? {} : { definition }),
      ...(snapshot === undefined ? {} : { snapshot }),
    }
  }

  /**
   * The store always knows the earliest deadline as of the last event: one that it believed in for too long would be looked at
   * again and again with nothing to write, and enough of them would keep real ones from being looked at.
   */
  #addWakeAt(batch: Batch): void {
    if (batch.entries.length === 0) return
    const earliest = this.nextDeadline
    if (earliest === this.#wakeAt) return
    this.#wakeAt = earliest
    batch.projections.push({ _tag: "wakeAt", at: earliest })
  }

  #addSnapshot(batch: Batch): void {
    const last = batch.entries.at(-1)
    const state = this.#state
    if (last === undefined || state === undefined || state.seq !== last.seq) return
    if (last.seq - this.#snapshotSeq < Math.max(limits.snapshotEvery, openThings(state))) return
    batch.snapshot = { seq: last.seq, hash: last.hash, text: JSON.stringify(takeSnapshot(state)) }
  }

  /** Of the commands that wait for the batch in flight. */
  watches() {
    return this.#inFlight?.watches() ?? []
  }

  /** What the journal says of the batch in flight. */
  appended(result: Appended): void {
    const batch = this.#inFlight
    if (batch === undefined) throw new Error("no batch is in flight")
    this.#inFlight = undefined
    if (result._tag !== "appended") return this.#overtaken(batch, result)
    if (batch.snapshot !== undefined) this.#snapshotSeq = batch.snapshot.seq
    if (batch.entries.length > 0) this.#host.announce(this)
    const stages = this.#host.stages
    const start = stages?.now() ?? 0
    batch.answer()
    if (stages !== undefined) stages.totals.answer += stages.now() - start
    this.#next()
  }

  /** The transaction failed: its answers fail, and what was decided on top of it is decided again. */
  appendFailed(error: StorageError): void {
    const batch = this.#inFlight
    this.#inFlight = undefined
    const again = this.#pending?.outcomes.map((outcome) => outcome.work) ?? []
    // The request that waits for the batch to be durable fails with it: alone behind a deadline, it would be tried for ever.
    const waiting = this.#whenDurable === undefined ? undefined : this.#mailbox.shift()
    this.#pending = undefined
    this.#forget()
    this.#mailbox = again.concat(this.#mailbox)
    // It may have been written all the same, and then its readers wait for it.
    this.#host.announce(this)
    batch?.fail(fromStorage(error))
    waiting?.settle(fromStorage(error), undefined)
    this.#next()
  }

  /** Another writer was faster, or an id that was thought to be new exists: load, and decide the same requests again. */
  #overtaken(batch: Batch, result: Exclude<Appended, { readonly _tag: "appended" }>): void {
    const outcomes = [...batch.outcomes, ...(this.#pending?.outcomes ?? [])]
    this.#pending = undefined
    this.#forget()
    const again: Array<Work> = []
    for (const { work } of outcomes) {
      work.tries += 1
      work.archive = undefined
      work.readBack = false
      if (work.tries > limits.conflictRetries)
        work.settle(fail("overloaded", `Other writers of workflow ${this.workflowId} were always faster.`), undefined)
      else again.push(work)
    }
    this.#mailbox = again.concat(this.#mailbox)
    this.#host.telemetry?.redecided(again.length)
    if (result._tag === "exists") this.#existing(again, result)
    else this.#next()
  }

  /** Every command that names the id in question is decided again on its stored row. */
  #existing(again: ReadonlyArray<Work>, { kind, id }: Extract<Appended, { readonly _tag: "exists" }>): void {
    const named = again.filter(
      (work): work is CommandWork =>
        work._tag === "command" &&
        (kind === "session" ? "sessionId" : "handoffId") in work.command &&
        (work.command as { readonly sessionId?: string; readonly handoffId?: string })[`${kind}Id`] === id,
    )
    const refs: ArchiveRefs = kind === "session" ? { sessions: [id] } : { handoffs: [id] }
    this.#phase = "looking"
    this.#host.lookup(this.tenant, this.workflowId, refs, (error, archive) => {
      this.#phase = "stale"
      for (const work of named) {
        if (error === undefined) work.archive = mergeArchives(work.archive, archive)
        else work.settle(fromStorage(error), undefined)
      }
      if (error !== undefined) this.#mailbox = this.#mailbox.filter((work) => !named.includes(work as CommandWork))
      this.#next()
    })
  }

  #next(): void {
    if (this.#pending !== undefined) this.#flush()
    else if (this.#inFlight === undefined && this.#whenDurable !== undefined) this.#runWhenDurable()
    if (this.#mailbox.length > 0) this.#schedule()
    else if (this.#pending === undefined) this.#host.rested(this)
  }

  // ---- loading ----

  #forget(): void {
    this.#phase = "stale"
    this.#whenDurable = undefined
    this.#state = undefined
    this.#hash = genesisHash
    this.#snapshotSeq = 0
    this.#wakeAt = undefined
    this.#answers = new AnswerCache()
  }

  #load(): void {
    this.#phase = "loading"
    this.#host.load(this.tenant, this.workflowId, (error, loaded) => {
      if (error !== undefined) {
        this.#phase = "stale"
        const waiting = this.#mailbox
        this.#mailbox = []
        for (const work of waiting) work.settle(error, undefined)
        this.#host.rested(this)
        return
      }
      this.#phase = "ready"
      if (loaded !== undefined) {
        this.#state = loaded.state
        this.#hash = loaded.hash
        this.#snapshotSeq = loaded.snapshotSeq
      }
      this.#drain()
    })
  }
}
