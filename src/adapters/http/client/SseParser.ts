/** Server-sent events from chunks of text, as the standard has them. It holds at most one unfinished event, of bounded length. */
import { clientLimits } from "./limits.ts"

export interface SseEvent {
  readonly id: string | undefined
  readonly data: string
}
/** An event grew beyond what a client holds. */
export class SseOverflow extends Error {}

export class SseParser {
  /** The server's last word on when to come back, in ms. */
  retryMs: number | undefined
  #rest = ""
  #id: string | undefined
  #data: Array<string> = []
  #chars = 0

  /** The events that end in this chunk. */
  push(chunk: string): ReadonlyArray<SseEvent> {
    const events: Array<SseEvent> = []
    let text = this.#rest + chunk
    // A CR at the end may be the first half of a line's end.
    const held = text.endsWith("\r") ? "\r" : ""
    if (held !== "") text = text.slice(0, -1)
    const next = text.includes("\r") ? anyLineEnd : plainLineEnd
    let from = 0
    // What was left over holds no end of a line: a long one must not be looked through again with each chunk.
    let search = Math.max(0, this.#rest.length - 1)
    for (let end = next(text, search); end !== undefined; end = next(text, search)) {
      this.#line(text.slice(from, end.at), events)
      from = end.next
      search = from
    }
    this.#rest = text.slice(from) + held
    if (this.#chars + this.#rest.length > clientLimits.eventChars) throw new SseOverflow()
    return events
  }

  #line(line: string, events: Array<SseEvent>): void {
    if (line === "") {
      if (this.#data.length > 0) events.push({ id: this.#id, data: this.#data.join("\n") })
      this.#data = []
      this.#id = undefined
      this.#chars = 0
      return
    }
    const colon = line.indexOf(":")
    if (colon === 0) return
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1)
    if (name === "data") {
      this.#data.push(value)
      this.#chars += value.length
    } else if (name === "id") this.#id = value
    else if (name === "retry" && /^\d{1,9}$/.test(value)) this.retryMs = Number(value)
  }
}

interface LineEnd {
  readonly at: number
  readonly next: number
}
const plainLineEnd = (text: string, from: number): LineEnd | undefined => {
  const at = text.indexOf("\n", from)
  return at === -1 ? undefined : { at, next: at + 1 }
}
const anyLineEnd = (text: string, from: number): LineEnd | undefined => {
  const end = /\r\n?|\n/g
  end.lastIndex = from
  const found = end.exec(text)
  return found === null ? undefined : { at: found.index, next: end.lastIndex }
}
