/**
 * Readers of one event stream, on a socket each: they note when each event came, and nothing else. All sockets of the process
 * share one buffer, so that thousands of readers cost the machine little beside the server that is measured.
 */
import { connect, type Socket } from "node:net"
import { type Arrivals, apiPrefix, type ReadersOrder, sharedMs } from "./protocol.ts"

/** Connections that are being made at once. */
const atOnce = 200
const buffer = Buffer.alloc(64 * 1024)
const okay = "HTTP/1.1 200 "

interface Reader {
  readonly socket: Socket
  /** What came of a frame that is not whole yet. */
  rest: string
  last: number
  isReading: boolean
  isWhole: boolean
}

export class Readers {
  readonly #readers: Reader[] = []
  readonly #arrivals = new Map<number, number[]>()

  static async open(order: ReadersOrder): Promise<Readers> {
    const readers = new Readers()
    for (let left = order.readers; left > 0; left -= atOnce)
      await Promise.all(Array.from({ length: Math.min(left, atOnce) }, () => readers.#open(order)))
    return readers
  }

  /** Waits for those that have not come to `last` yet, for so long. */
  async count(last: number, patienceMs: number): Promise<Arrivals> {
    const until = sharedMs() + patienceMs
    const isThere = (reader: Reader): boolean => reader.isWhole && !reader.socket.destroyed && reader.last >= last
    while (sharedMs() < until && !this.#readers.every((reader) => isThere(reader) || reader.socket.destroyed))
      await new Promise((resolve) => setTimeout(resolve, 20))
    return { held: this.#readers.filter(isThere).length, at: Object.fromEntries(this.#arrivals) }
  }

  #open({ address, workflowId, after }: ReadersOrder): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: "127.0.0.1",
        port: address.port,
        onread: {
          buffer,
          callback: (size, bytes) => {
            this.#take(reader, Buffer.from(bytes.buffer, bytes.byteOffset, size).toString("latin1"), resolve, reject)
            return true
          },
        },
      })
      const reader: Reader = { socket, rest: "", last: after, isReading: false, isWhole: true }
      this.#readers.push(reader)
      socket.on("error", reject)
      socket.on("close", () => reject(new Error("the server closed a stream before it began")))
      socket.write(
        `GET ${apiPrefix}/workflows/${workflowId}/events?after=${after} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
          `Authorization: Bearer ${address.key}\r\nAccept: text/event-stream\r\n\r\n`,
      )
    })
  }

  /** Chunk lengths stand between the frames and are passed over: only lines that begin with `id:` say anything here. */
  #take(reader: Reader, text: string, ready: () => void, refused: (error: Error) => void): void {
    const now = sharedMs()
    const all = reader.rest + text
    if (!reader.isReading) {
      if (!all.startsWith(okay)) return refused(new Error(`a stream was refused: ${all.slice(0, 300)}`))
      reader.isReading = true
      ready()
    }
    let at = 0
    for (;;) {
      const end = all.indexOf("\n\n", at)
      if (end === -1) break
      const id = /(?:^|\n)id: (\d+)\n/.exec(all.slice(at, end))
      if (id !== null) this.#note(reader, Number(id[1]), now)
      at = end + 2
    }
    reader.rest = all.slice(at)
  }

  #note(reader: Reader, seq: number, now: number): void {
    if (seq !== reader.last + 1) reader.isWhole = false
    reader.last = seq
    const times = this.#arrivals.get(seq)
    if (times === undefined) this.#arrivals.set(seq, [now])
    else times.push(now)
  }
}
