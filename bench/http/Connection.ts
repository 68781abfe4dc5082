/**
 * A kept-alive connection with one request in flight: the least of an HTTP client, so that what is measured is the server. It
 * knows `Content-Length` and nothing else, which is all that the servers here answer with.
 */
import { connect, type Socket } from "node:net"

export interface Answer {
  readonly status: number
  readonly body: string
}

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

const nothing = Buffer.alloc(0)
const endOfHead = "\r\n\r\n"

export class Connection {
  readonly #socket: Socket
  readonly #common: string
  #received: Buffer = nothing
  #waiting: Waiting | undefined

  private constructor(socket: Socket, key: string) {
    this.#socket = socket
    this.#common = `Host: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`
    socket.on("data", (chunk: Buffer) => this.#take(chunk))
    socket.on("error", (error) => this.#fail(error))
    socket.on("close", () => this.#fail(new Error("the server closed the connection")))
  }

  static open(port: number, key: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true })
      socket.once("error", reject)
      socket.once("connect", () => {
        socket.off("error", reject)
        resolve(new Connection(socket, key))
      })
    })
  }

  post(path: string, body: string, sessionToken: string | undefined): Promise<Answer> {
    const session = sessionToken === undefined ? "" : `Handrail-Session: ${sessionToken}\r\n`
    const length = Buffer.byteLength(body)
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(
        `POST ${path} HTTP/1.1\r\n${this.#common}${session}Content-Length: ${length}${endOfHead}${body}`,
      )
    })
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const head = this.#received.indexOf(endOfHead)
    if (head === -1) return
    const text = this.#received.toString("latin1", 0, head)
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1])
    if (Number.isNaN(length)) return this.#fail(new Error("an answer without Content-Length"))
    const end = head + endOfHead.length + length
    if (this.#received.length < end) return
    const body = this.#received.toString("utf8", head + endOfHead.length, end)
    this.#received = this.#received.subarray(end)
    const waiting = this.#waiting
    this.#waiting = undefined
    // "HTTP/1.1 200 …"
    waiting?.resolve({ status: Number(text.slice(9, 12)), body })
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
