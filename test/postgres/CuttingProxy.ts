/**
 * A proxy before a Postgres server, at which a client's connection is cut or held up at the message that it is told.
 *
 * It reads the frontend's side of the protocol message by message. Those that make the server do something count: Execute, Sync and
 * Query; what only prepares them does nothing by itself, and goes along. A cut leaves the server what was sent before, as the
 * death of a client does; where the message counts as sent, the proxy waits for what it came to and keeps that to itself.
 */
import { connect, createServer, type Server, type Socket } from "node:net"
import type { StoreFault, Strike } from "../../src/testing/index.ts"

const counted = new Set(["E", "S", "Q"].map((letter) => letter.charCodeAt(0)))
/** Messages that the server answers at once. */
const answered = new Set(["S", "Q"].map((letter) => letter.charCodeAt(0)))
/** The end of every answer: ReadyForQuery with one byte of state. */
const ready = Buffer.from([0x5a, 0, 0, 0, 5])

interface Message {
  /** 0 for what opens a connection, which has no letter. */
  readonly letter: number
  readonly bytes: Buffer
}

export class CuttingProxy {
  readonly #target: URL
  readonly #server: Server
  readonly #links = new Set<Link>()
  #armed: { readonly fault: StoreFault; left: number; readonly strike: () => void } | undefined
  #isDead = false
  #isFrozen = false
  #tellDeath: () => void = () => {}
  /** Resolves when its clients are gone for good. */
  readonly died = new Promise<void>((resolve) => {
    this.#tellDeath = resolve
  })

  private constructor(target: URL) {
    this.#target = target
    this.#server = createServer((client) => this.#accept(client))
  }

  static async start(url: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(new URL(url))
    await new Promise<void>((done, failed) => {
      proxy.#server.on("error", failed)
      proxy.#server.listen(0, "127.0.0.1", done)
    })
    return proxy
  }

  /** The server, by way of the proxy. */
  get url(): string {
    const address = this.#server.address()
    if (address === null || typeof address === "string") throw new Error("the proxy does not listen")
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${address.port}`
    return url.href
  }
  get isDead(): boolean {
    return this.#isDead
  }
  get isFrozen(): boolean {
    return this.#isFrozen
  }

  arm(fault: StoreFault): Strike {
    let settle = (): void => {}
    const strike = {
      struck: false,
      strikes: new Promise<void>((resolve) => {
        settle = resolve
      }),
      disarm: async () => {
        this.#armed = undefined
      },
    }
    this.#armed = {
      fault,
      left: fault.statement,
      strike: () => {
        strike.struck = true
        settle()
      },
    }
    return strike
  }

  /** What a message meets: the armed fault, if it is its turn. */
  faultAt(letter: number): StoreFault | undefined {
    const armed = this.#armed
    if (armed === undefined || !counted.has(letter) || --armed.left > 0) return undefined
    this.#armed = undefined
    return armed.fault
  }
  /** The fault strikes on `link`. */
  strike(fault: StoreFault, link: Link, tell: () => void): void {
    if (fault.kind === "freeze") this.#isFrozen = true
    else if (fault.kind === "error") link.cut()
    else this.die()
    tell()
  }
  get teller(): () => void {
    return this.#armed?.strike ?? (() => {})
  }

  thaw(): void {
    this.#isFrozen = false
    for (const link of this.#links) link.flow()
  }
  /** All connections are cut, and no more are taken. */
  die(): void {
    this.#isDead = true
    for (const link of this.#links) link.cut()
    this.#tellDeath()
  }
  async close(): Promise<void> {
    this.die()
    await new Promise((done) => this.#server.close(done))
  }

  #accept(client: Socket): void {
    if (this.#isDead) {
      client.destroy()
      return
    }
    const upstream = connect(Number(this.#target.port === "" ? 5432 : this.#target.port), this.#target.hostname)
    const link = new Link(this, client, upstream)
    this.#links.add(link)
    client.on("close", () => this.#links.delete(link))
  }
}

/** One connection: what goes up is taken apart into messages, what comes down is passed on. */
class Link {
  readonly #proxy: CuttingProxy
  readonly #client: Socket
  readonly #upstream: Socket
  #unread: Buffer = Buffer.alloc(0)
  #isOpen = false
  readonly #up: Array<Message> = []
  readonly #down: Array<Buffer> = []
  /** Set while the answer to the last message is awaited, and kept. */
  #afterAnswer: (() => void) | undefined

  constructor(proxy: CuttingProxy, client: Socket, upstream: Socket) {
    this.#proxy = proxy
    this.#client = client
    this.#upstream = upstream
    client.setNoDelay(true)
    upstream.setNoDelay(true)
    client.on("data", (bytes: Buffer) => this.#read(bytes))
    upstream.on("data", (bytes: Buffer) => {
      this.#down.push(bytes)
      this.flow()
    })
    client.on("error", () => {})
    upstream.on("error", () => client.destroy())
    client.on("close", () => upstream.end())
    upstream.on("close", () => {
      if (!proxy.isFrozen) client.end()
    })
  }

  /** The server gets what was sent before, and then the end; the client gets nothing more. */
  cut(): void {
    this.#up.length = 0
    this.#client.destroy()
    this.#upstream.end()
  }

  /** Passes on what waits, unless everything stands still. */
  flow(): void {
    while (!this.#proxy.isFrozen && this.#afterAnswer === undefined) {
      const message = this.#up.shift()
      if (message === undefined) break
      this.#send(message)
    }
    if (this.#afterAnswer !== undefined) {
      if (this.#down.at(-1)?.subarray(-6, -1).equals(ready) !== true) return
      const settle = this.#afterAnswer
      this.#afterAnswer = undefined
      settle()
    }
    if (this.#proxy.isFrozen || this.#client.destroyed) return
    for (const bytes of this.#down.splice(0)) this.#client.write(bytes)
  }

  #read(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes])
    for (;;) {
      const head = this.#isOpen ? 1 : 0
      if (this.#unread.length < head + 4) break
      const size = head + this.#unread.readUInt32BE(head)
      if (this.#unread.length < size) break
      this.#up.push({ letter: this.#isOpen ? (this.#unread[0] ?? 0) : 0, bytes: this.#unread.subarray(0, size) })
      this.#unread = this.#unread.subarray(size)
      // The request for encryption is followed by the true opening; everything else that has no letter is one.
      this.#isOpen ||= size > 8
    }
    this.flow()
  }

  #send(message: Message): void {
    const tell = this.#proxy.teller
    const fault = this.#proxy.faultAt(message.letter)
    if (fault === undefined) {
      this.#upstream.write(message.bytes)
      return
    }
    if (fault.when === "before") {
      if (fault.kind === "freeze") this.#up.unshift(message)
      this.#proxy.strike(fault, this, tell)
      return
    }
    this.#upstream.write(message.bytes)
    const strike = () => this.#proxy.strike(fault, this, tell)
    if (answered.has(message.letter)) this.#afterAnswer = strike
    else strike()
  }
}
