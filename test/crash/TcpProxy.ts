/** A TCP proxy in front of a server: its connections can be cut, held without a word, and refused. */
import { connect, createServer, type Server, type Socket } from "node:net"

export class TcpProxy {
  readonly #server: Server
  readonly #pairs = new Set<readonly [near: Socket, far: Socket]>()
  #refusing = false
  port = 0

  private constructor(target: number) {
    this.#server = createServer((near) => {
      if (this.#refusing) {
        near.destroy()
        return
      }
      const far = connect(target, "127.0.0.1")
      const pair = [near, far] as const
      this.#pairs.add(pair)
      for (const [one, other] of [pair, [far, near] as const]) {
        one.on("data", (chunk) => {
          if (!other.write(chunk)) one.pause()
        })
        other.on("drain", () => one.resume())
        one.on("error", () => {})
        one.on("close", () => {
          other.destroy()
          this.#pairs.delete(pair)
        })
      }
    })
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    await new Promise<void>((done) => proxy.#server.listen(0, "127.0.0.1", done))
    const address = proxy.#server.address()
    proxy.port = typeof address === "object" && address !== null ? address.port : 0
    return proxy
  }

  /** Every connection ends at once, in the midst of whatever is on its way. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }
  /** New connections are ended as they come. */
  refuse(on: boolean): void {
    this.#refusing = on
  }
  /** Answers no longer come back, though what is sent still arrives: the worst moment to lose a connection. */
  swallow(): void {
    for (const [, far] of this.#pairs) {
      far.removeAllListeners("data")
      far.resume()
    }
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((done) => this.#server.close(() => done()))
  }
}
