/**
 * Server-sent events out of bytes, in whatever pieces those come. The bytes of each event are kept, its blank line included,
 * so that it can go on as it came; all events together are the stream, byte for byte.
 */
import { ModelStreamError } from "./errors.ts"
import { isObject, type JsonObject, jsonText } from "./json.ts"
import { maxEventBytes } from "./limits.ts"
import type { StreamEvent } from "./Protocol.ts"

const lineFeed = 10
const carriageReturn = 13

/** Cuts a stream behind its blank lines. A line ends with LF, CR LF or CR. */
export class EventSplitter {
  #pieces: Array<Uint8Array> = []
  #size = 0
  #lineIsEmpty = true
  #afterReturn = false
  /** The blank line ended with CR: an LF that follows belongs to it. */
  #atEnd = false

  /** The events that end in this chunk. Throws `ModelStreamError` where one does not end within `maxEventBytes`. */
  push(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    const events: Array<Uint8Array> = []
    let start = 0
    const cut = (end: number) => {
      events.push(this.#join(chunk.subarray(start, end)))
      start = end
      this.#lineIsEmpty = true
      this.#atEnd = false
    }
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]
      if (this.#atEnd) {
        cut(byte === lineFeed ? index + 1 : index)
        this.#afterReturn = false
        if (byte === lineFeed) continue
      }
      if (byte === lineFeed) {
        const isSecondHalf = this.#afterReturn
        this.#afterReturn = false
        if (isSecondHalf) continue
        if (this.#lineIsEmpty) cut(index + 1)
        else this.#lineIsEmpty = true
      } else if (byte === carriageReturn) {
        if (this.#lineIsEmpty) this.#atEnd = true
        this.#lineIsEmpty = true
        this.#afterReturn = true
      } else {
        this.#lineIsEmpty = false
        this.#afterReturn = false
      }
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
    return events
  }

  /** What is left at the end of the stream: an event without its blank line, or undefined. */
  end(): Uint8Array | undefined {
    return this.#size === 0 ? undefined : this.#join(new Uint8Array())
  }

  #keep(piece: Uint8Array): void {
    this.#size += piece.length
    if (this.#size > maxEventBytes) {
      throw new ModelStreamError("event_too_large", `The provider sent an event of more than ${maxEventBytes} bytes.`)
    }
    this.#pieces.push(piece)
  }

  #join(last: Uint8Array): Uint8Array {
    if (this.#pieces.length === 0) return last
    const event = new Uint8Array(this.#size + last.length)
    let offset = 0
    for (const piece of [...this.#pieces, last]) {
      event.set(piece, offset)
      offset += piece.length
    }
    this.#pieces = []
    this.#size = 0
    return event
  }
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Reads an event. Throws `SyntaxError` where its data is no JSON, as the providers' clients do; `[DONE]` is none. */
export const readEvent = (bytes: Uint8Array): StreamEvent => {
  let event: string | undefined
  let data: string | undefined
  for (const line of decoder.decode(bytes).split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(":")
    if (colon === 0 || line === "") continue
    const field = colon === -1 ? line : line.slice(0, colon)
    const raw = colon === -1 ? "" : line.slice(colon + 1)
    const value = raw.startsWith(" ") ? raw.slice(1) : raw
    if (field === "event") event = value
    else if (field === "data") data = data === undefined ? value : `${data}\n${value}`
  }
  if (data === undefined || data === "" || data.startsWith("[DONE]")) return { bytes, event, data, json: undefined }
  const json: unknown = JSON.parse(data)
  return { bytes, event, data, json: isObject(json) ? json : undefined }
}

export const writeEvent = (event: string | undefined, json: JsonObject): Uint8Array =>
  encoder.encode(`${event === undefined ? "" : `event: ${event}\n`}data: ${jsonText(json)}\n\n`)
