/**
 * The entries of one workflow, as bytes outside the heap.
 *
 * A journal in memory only grows. Kept as strings, its events would be copied by every collection that finds them alive, and
 * the collector, not the rules, would be what limits the store. A buffer is looked at by nobody until somebody reads it.
 */
import type { Entry } from "../../runtime/Journal.ts"

const hashBytes = 32
const firstBytes = 4 * 1024
const largestChunk = 1024 * 1024

export class EntryLog {
  readonly #chunks: Array<Buffer> = []
  /** For each entry: its chunk, where in it, and how long its text is. */
  #places = new Uint32Array(3 * 16)
  #used = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(entry: Entry): void {
    // One UTF-16 unit takes at most three bytes of UTF-8.
    const chunk = this.#room(3 * entry.text.length + hashBytes)
    const at = this.#used
    const size = chunk.write(entry.text, at, "utf8")
    chunk.write(entry.hash, at + size, hashBytes, "hex")
    this.#used = at + size + hashBytes
    const place = 3 * this.#length
    if (place === this.#places.length) {
      const places = new Uint32Array(2 * place)
      places.set(this.#places)
      this.#places = places
    }
    this.#places[place] = this.#chunks.length - 1
    this.#places[place + 1] = at
    this.#places[place + 2] = size
    this.#length += 1
  }

  /** The entries from `start` to before `end`, counted from 0. */
  slice(start: number, end = this.#length): Array<Entry> {
    const entries: Array<Entry> = []
    for (let index = start; index < Math.min(end, this.#length); index++) {
      const [chunk = 0, at = 0, size = 0] = this.#places.subarray(3 * index, 3 * index + 3)
      const bytes = this.#chunks[chunk]
      if (bytes === undefined) break
      const text = bytes.toString("utf8", at, at + size)
      const hash = bytes.toString("hex", at + size, at + size + hashBytes)
      entries.push({ seq: index + 1, text, hash })
    }
    return entries
  }

  #room(bytes: number): Buffer {
    const last = this.#chunks.at(-1)
    if (last !== undefined && last.length - this.#used >= bytes) return last
    const size = Math.max(bytes, Math.min(largestChunk, last === undefined ? firstBytes : 2 * last.length))
    const chunk = Buffer.allocUnsafeSlow(size)
    this.#chunks.push(chunk)
    this.#used = 0
    return chunk
  }
}
