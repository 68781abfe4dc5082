/**
 * The calling thread's side of the writer: starts its thread, sends, and matches replies with calls.
 *
 * A thread that dies fails what it was asked and is started again by the next call. What it had committed stays; what it had
 * not was never written.
 */
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import { closed, type Failure } from "./failures.ts"
import type { WriterMessage, WriterOptions, WriterReply } from "./messages.ts"

const crashed: Failure = {
  reason: "crashed",
  detail: "the store's writer stopped; nothing of this call is known to be written",
}

/** From src (under a test runner) and from dist alike, the thread runs what was built: package.json, `imports`. */
const entry = (): string => createRequire(import.meta.url).resolve("#sqlite-worker")

/** A fold makes many small arrays that die at its end; in the default space they would be copied several times first. */
const maxYoungGenerationSizeMb = 96

export class WriterFailed extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.detail)
    this.failure = failure
  }
}

interface Waiting {
  readonly resolve: (reply: WriterReply) => void
  readonly reject: (failure: Failure) => void
}

export class WriterThread {
  readonly #options: WriterOptions
  #worker: Worker | undefined
  #opening: Promise<void> | undefined
  /** Calls in the order in which they were sent, which is the order of the replies. */
  readonly #waiting: Array<Waiting> = []
  #closed = false
  #id = 0
  /** Of threads that died. */
  #stagesBefore: WriterReply["stages"] = { sql: 0, fsync: 0, fold: 0 }
  #stages: WriterReply["stages"] = { sql: 0, fsync: 0, fold: 0 }

  constructor(options: WriterOptions) {
    this.#options = options
  }

  get stages(): WriterReply["stages"] {
    const [a, b] = [this.#stagesBefore, this.#stages]
    return { sql: a.sql + b.sql, fsync: a.fsync + b.fsync, fold: a.fold + b.fold }
  }
  nextId(): number {
    return ++this.#id
  }

  /** Resolves once the thread has opened the file; rejects with `WriterFailed`. */
  open(): Promise<void> {
    if (this.#opening !== undefined) return this.#opening
    // Without the flags of this process: a loader that it runs with would cost the thread a second, and has nothing to do there.
    const worker = new Worker(entry(), {
      workerData: this.#options,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb },
    })
    this.#worker = worker
    this.#opening = new Promise<void>((resolve, reject) => {
      const failed = (failure: Failure): void => {
        if (this.#worker === worker) this.#lost(failure)
        reject(new WriterFailed(failure))
      }
      worker.once("message", (message: { readonly failure: Failure | null }) => {
        if (message.failure !== null) return failed(message.failure)
        worker.on("message", (reply: WriterReply) => this.#replied(reply))
        if (this.#waiting.length === 0) worker.unref()
        resolve()
      })
      // An error is followed by the exit; both mean the same to whoever waits.
      worker.on("error", () => failed(crashed))
      worker.on("exit", () => failed(this.#closed ? closed : crashed))
    })
    // Whoever sends next sees the failure too; without a caller it must not end the process.
    this.#opening.catch(() => {})
    return this.#opening
  }

  send(message: WriterMessage, resolve: (reply: WriterReply) => void, reject: (failure: Failure) => void): void {
    if (this.#closed) return reject(closed)
    if (this.#worker === undefined) {
      this.open().then(
        () => this.send(message, resolve, reject),
        (error: unknown) => reject(error instanceof WriterFailed ? error.failure : crashed),
      )
      return
    }
    if (this.#waiting.length === 0) this.#worker.ref()
    this.#waiting.push({ resolve, reject })
    this.#worker.postMessage(message)
  }

  /**
   * After what was sent before. Resolves when the thread has ended by itself, whatever it says. It is never terminated:
   * better-sqlite3 aborts the whole process when its thread is stopped while it raises an error.
   */
  async close(): Promise<void> {
    const worker = this.#worker
    if (this.#closed) return
    if (worker === undefined) {
      this.#closed = true
      return
    }
    await new Promise<void>((resolve) => {
      worker.once("exit", () => resolve())
      this.send(
        { kind: "close", id: this.nextId() },
        () => {},
        () => {},
      )
      this.#closed = true
    })
  }

  #replied(reply: WriterReply): void {
    this.#stages = reply.stages
    const waiting = this.#waiting.shift()
    // While it closes it holds the process, which would otherwise end before `close` has resolved.
    if (this.#waiting.length === 0 && !this.#closed) this.#worker?.unref()
    if (reply.failure === null) waiting?.resolve(reply)
    else waiting?.reject(reply.failure)
  }

  #lost(failure: Failure): void {
    this.#worker = undefined
    this.#opening = undefined
    this.#stagesBefore = this.stages
    this.#stages = { sql: 0, fsync: 0, fold: 0 }
    for (const waiting of this.#waiting.splice(0)) waiting.reject(failure)
  }
}
