/**
 * The live end of one workflow's events, shared by all who read it over HTTP: each event is read and encoded once.
 *
 * It holds the latest frames, a bounded number of them. A reader that is further behind reads pages of the journal until it
 * gets there; nobody's pace holds up anybody else, and nothing is kept for a slow one.
 */
import { Cause, Effect, Exit } from "effect"
import type { JournalEvent } from "../../../machines/events.ts"
import type { Tenant, WorkflowId } from "../../../machines/ids.ts"
import type { EmbeddedClient } from "../../../runtime/EmbeddedClient.ts"
import type { EventReader } from "../../../runtime/EventReader.ts"
import { fromStorage, WorkflowError } from "../../../runtime/errors.ts"
import { limits } from "../../../runtime/limits.ts"
import { httpLimits } from "../limits.ts"
import { eventToWire } from "../wire/eventCases.ts"

/** One event as a server-sent event; its id resumes the stream after it. */
const frameOf = (event: JournalEvent): string =>
  `id: ${event.seq}\nevent: ${event.body._tag}\ndata: ${JSON.stringify(eventToWire(event))}\n\n`

interface Frame {
  readonly seq: number
  readonly text: string
}
/** Frames in order, without a gap: encoded once for all who are at the same place. */
export interface Frames {
  readonly bytes: Uint8Array
  /** The last sequence in them. */
  readonly after: number
}

export class Feed {
  readonly #host: EmbeddedClient["host"]
  readonly #tenant: Tenant
  readonly #workflowId: WorkflowId
  readonly #onEnd: () => void
  readonly #reader: EventReader
  #frames: Array<Frame> = []
  #chars = 0
  #head: number
  #users = 0
  #waiting = new Set<() => void>()
  #failure: WorkflowError | undefined
  /** What was read last, and from where: the readers of a live workflow all ask for the same. */
  #latest: { readonly from: number; readonly head: number; readonly frames: Frames } | undefined
  #ended = false

  /** Begins at `head`: what came before is in the journal. */
  constructor(host: EmbeddedClient["host"], tenant: Tenant, workflowId: WorkflowId, head: number, onEnd: () => void) {
    this.#host = host
    this.#tenant = tenant
    this.#workflowId = workflowId
    this.#head = head
    this.#onEnd = onEnd
    this.#reader = host.governance.reader(tenant, workflowId, head)
    void this.#pump()
  }

  get ended(): boolean {
    return this.#ended
  }

  join(): void {
    this.#users += 1
  }
  /** The last one to leave ends it. */
  leave(): void {
    this.#users -= 1
    if (this.#users === 0) this.#end()
  }

  /**
   * The frames after a sequence that are there already; undefined where there are none yet. At once for what is kept, throws or
   * rejects where the journal failed.
   */
  read(after: number): Frames | undefined | Promise<Frames | undefined> {
    if (this.#failure !== undefined) throw this.#failure
    if (after >= this.#head) return undefined
    const latest = this.#latest
    if (latest !== undefined && latest.from === after && latest.head === this.#head) return latest.frames
    const first = this.#frames[0]
    if (first === undefined || after + 1 < first.seq) return this.#readJournal(after)
    const frames = this.#join(after, first.seq)
    this.#latest = { from: after, head: this.#head, frames }
    return frames
  }

  #join(after: number, first: number): Frames {
    let text = ""
    let last = after
    for (let index = after + 1 - first; index < this.#frames.length; index++) {
      const frame = this.#frames[index]
      if (frame === undefined) break
      text += frame.text
      last = frame.seq
      if (text.length > httpLimits.chunkChars) break
    }
    return { bytes: Buffer.from(text), after: last }
  }

  /** Calls back once there is something after this sequence, or it has ended; returns the function that stops that. */
  whenBeyond(after: number, then: () => void): () => void {
    if (this.#head > after || this.#ended) {
      then()
      return () => {}
    }
    this.#waiting.add(then)
    return () => this.#waiting.delete(then)
  }

  async #pump(): Promise<void> {
    while (!this.#ended) {
      const exit = await this.#host.run(this.#reader.pull)
      if (Exit.isSuccess(exit)) {
        for (const event of exit.value) this.#keep({ seq: event.seq, text: frameOf(event) })
        await this.#wake()
        continue
      }
      const error = Cause.squash(exit.cause)
      if (error instanceof WorkflowError) this.#failure = error
      this.#end()
    }
  }

  #keep(frame: Frame): void {
    this.#frames.push(frame)
    this.#chars += frame.text.length
    this.#head = frame.seq
    let drop = 0
    while (
      this.#frames.length - drop > 1 &&
      (this.#frames.length - drop > httpLimits.feedFrames || this.#chars > httpLimits.feedChars)
    ) {
      this.#chars -= this.#frames[drop]?.text.length ?? 0
      drop += 1
    }
    if (drop > 0) this.#frames = this.#frames.slice(drop)
  }

  async #readJournal(after: number): Promise<Frames | undefined> {
    const { journal } = this.#host.governance
    const exit = await this.#host.run(
      Effect.mapError(journal.read(this.#tenant, this.#workflowId, after, limits.eventPage), fromStorage),
    )
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    let text = ""
    let last = after
    for (const entry of exit.value) {
      text += frameOf(JSON.parse(entry.text) as JournalEvent)
      last = entry.seq
      if (text.length > httpLimits.chunkChars) break
    }
    return last === after ? undefined : { bytes: Buffer.from(text), after: last }
  }

  /** A share at a time: with thousands of readers, what else the server has to do would wait for all of their writes. */
  async #wake(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = new Set()
    let woken = 0
    for (const then of waiting) {
      then()
      woken += 1
      if (woken % httpLimits.wokenAtOnce === 0) await new Promise(setImmediate)
    }
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#reader.close()
    this.#onEnd()
    void this.#wake()
  }
}
