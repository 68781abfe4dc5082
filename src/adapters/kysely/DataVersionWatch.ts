/**
 * Tells subscribers that another writer may have committed.
 *
 * The file is looked at every 25 ms while somebody is subscribed. The reading connection sees the writer's own commits too;
 * so a change is passed to the writer, which knows which ones were its own.
 */
import type Database from "better-sqlite3"
import type { WriterThread } from "./WriterThread.ts"

const pollMs = 25

export class DataVersionWatch {
  readonly #version: Database.Statement<[], number>
  readonly #thread: WriterThread
  readonly #listeners = new Set<{ readonly listener: () => void }>()
  #timer: NodeJS.Timeout | undefined
  #seen = -1
  #foreign = -1
  #asking = false

  constructor(db: Database.Database, thread: WriterThread) {
    this.#version = db.prepare<[], number>("pragma data_version").pluck()
    this.#thread = thread
  }

  subscribe(listener: () => void): () => void {
    const entry = { listener }
    this.#listeners.add(entry)
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#poll(), pollMs)
      this.#timer.unref()
      this.#poll()
    }
    return () => {
      this.#listeners.delete(entry)
      if (this.#listeners.size === 0) this.#stop()
    }
  }

  close(): void {
    this.#listeners.clear()
    this.#stop()
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #poll(): void {
    if (this.#asking) return
    const version = this.#look()
    if (version === undefined || version === this.#seen) return
    this.#asking = true
    this.#thread.send(
      { kind: "ping", id: this.#thread.nextId() },
      ({ foreign }) => {
        this.#asking = false
        this.#seen = version
        if (foreign === this.#foreign) return
        this.#foreign = foreign
        this.#tell()
      },
      () => {
        this.#asking = false
        this.#tell()
      },
    )
  }

  /** Undefined where the file could not be read: the next look will tell. */
  #look(): number | undefined {
    try {
      return this.#version.get()
    } catch {
      return undefined
    }
  }

  #tell(): void {
    for (const { listener } of this.#listeners) listener()
  }
}
