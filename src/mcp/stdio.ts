/** A server on this process's standard input and output; everything that is said to people goes to standard error. */
import type { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"

/** Serves until the other side has closed standard input, or `signal` aborts. */
export const serveStdio = async (server: Server, signal: AbortSignal): Promise<void> => {
  const ended = new Promise<void>((resolve) => {
    const onclose = server.onclose
    server.onclose = () => {
      onclose?.()
      resolve()
    }
    // The transport itself does not hear of the end.
    process.stdin.once("end", resolve)
    process.stdin.once("close", resolve)
    signal.addEventListener("abort", () => resolve(), { once: true })
    if (signal.aborted) resolve()
  })
  await server.connect(new StdioServerTransport())
  await ended
  await server.close()
}
