/**
 * The floor of the HTTP benchmarks: `node:http` with nothing on it. A POST is answered with its own body once that body is on
 * the disk; bodies that come while the disk is busy share the next sync. A GET is a stream, and every stream is written what is
 * published. It checks nothing, knows nobody and decides nothing.
 */
import { type FileHandle, open } from "node:fs/promises"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import type { Served } from "../subject.ts"

interface Pending {
  readonly body: Buffer
  readonly response: ServerResponse
}

export const bare = async (dir: string): Promise<Served> => {
  const log = new GroupedLog(await open(join(dir, "bodies.log"), "a"))
  const streams = new Set<ServerResponse>()
  const server = createServer({ noDelay: true, keepAliveTimeout: 65_000 }, (request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
      response.write("retry: 1000\n\n")
      streams.add(response)
      response.once("close", () => streams.delete(response))
      return
    }
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => log.add({ body: Buffer.concat(chunks), response }))
  })
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, () => resolve()))
  const { port } = server.address() as AddressInfo
  let seq = 0
  return {
    address: { port, key: "none", isEcho: true },
    watch: async () => ({
      workflowId: "wf",
      after: 0,
      commit: async () => {
        seq += 1
        const data = JSON.stringify({ seq, kind: "step_admitted", note: "x".repeat(150) })
        await log.sync(Buffer.from(data))
        const frame = `id: ${seq}\nevent: step_admitted\ndata: ${data}\n\n`
        const committed = seq
        // After the caller has been answered, as it is there.
        setImmediate(() => {
          for (const stream of streams) stream.write(frame)
        })
        return committed
      },
    }),
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await log.close()
    },
  }
}

class GroupedLog {
  readonly #file: FileHandle
  #pending: Pending[] = []
  #isBusy = false

  constructor(file: FileHandle) {
    this.#file = file
  }

  add(pending: Pending): void {
    this.#pending.push(pending)
    if (this.#isBusy) return
    this.#isBusy = true
    // Those that came in the same turn go together.
    setImmediate(() => void this.#write())
  }

  async sync(body: Buffer): Promise<void> {
    await this.#file.write(body)
    await this.#file.datasync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#pending
      this.#pending = []
      await this.#file.writev(group.map(({ body }) => body))
      await this.#file.datasync()
      for (const { body, response } of group) {
        response.writeHead(200, { "content-type": "application/json", "content-length": body.length })
        response.end(body)
      }
    }
    this.#isBusy = false
  }
}
