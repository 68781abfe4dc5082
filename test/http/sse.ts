/** A reader of server-sent events for tests: what an `EventSource` would understand. */
export interface SseEvent {
  readonly id: string
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events member by member.
  readonly data: any
}

export class SseReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ""
  /** The last hint when to come back. */
  retry: number | undefined
  comments = 0
  lastId = "0"

  constructor(response: Response) {
    if (response.body === null) throw new Error("there is no stream")
    this.#reader = response.body.getReader()
  }

  /** The next event; undefined at the end. */
  async next(): Promise<SseEvent | undefined> {
    for (;;) {
      const block = await this.#block()
      if (block === undefined) return undefined
      const fields = new Map(
        block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
      )
      const retry = fields.get("retry")
      if (retry !== undefined) this.retry = Number(retry)
      if (fields.has("")) this.comments += 1
      const [id, event, data] = [fields.get("id"), fields.get("event"), fields.get("data")]
      if (id === undefined || event === undefined || data === undefined) continue
      this.lastId = id
      return { id, event, data: JSON.parse(data) }
    }
  }

  async take(count: number): Promise<ReadonlyArray<SseEvent>> {
    const events: Array<SseEvent> = []
    while (events.length < count) {
      const event = await this.next()
      if (event === undefined) throw new Error(`the stream ended after ${events.length} events`)
      events.push(event)
    }
    return events
  }

  /** Reads until the next comment. */
  async comment(): Promise<void> {
    const before = this.comments
    while (this.comments === before) {
      const block = await this.#block()
      if (block === undefined) throw new Error("the stream ended")
      if (block.startsWith(":")) this.comments += 1
    }
  }

  cancel(): Promise<void> {
    return this.#reader.cancel()
  }

  async #block(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n")
      if (end !== -1) {
        const block = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        return block
      }
      const { done, value } = await this.#reader.read()
      if (done) return undefined
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }
}
