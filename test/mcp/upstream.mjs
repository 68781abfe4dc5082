/**
 * An MCP server to be governed, made with the official SDK. It writes a line to the file PAGES for everything that it does, so that
 * a test sees what ran and not what was said: `node upstream.mjs PAGES`, or with a port for HTTP: `node upstream.mjs PAGES 0`.
 */
import { appendFileSync } from "node:fs"
import { createServer } from "node:http"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { z } from "zod"

const [, , pages, port] = process.argv
const did = (what) => appendFileSync(pages, `${what}\n`)
const text = (said) => ({ content: [{ type: "text", text: said }] })

const server = new McpServer(
  { name: "pages", version: "1" },
  { capabilities: { logging: {} }, instructions: "Read before you write." },
)
server.registerTool(
  "read_page",
  { inputSchema: { page: z.string() }, outputSchema: { page: z.string(), text: z.string() } },
  ({ page }) => {
    did(`read ${page}`)
    const structuredContent = { page, text: "old" }
    return { ...text(JSON.stringify(structuredContent)), structuredContent }
  },
)
server.registerTool(
  "write_page",
  { inputSchema: { page: z.string(), text: z.string() } },
  ({ page, text: written }) => {
    did(`write ${page} ${written}`)
    return text("written")
  },
)
server.registerTool("delete_all", {}, () => {
  did("delete")
  return text("gone")
})
server.registerTool("slow", {}, async (extra) => {
  const progressToken = extra._meta?.progressToken
  if (progressToken !== undefined)
    await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress: 1, total: 2 } })
  await server.sendLoggingMessage({ level: "info", data: "slow began" }, extra.sessionId)
  did("slow began")
  await new Promise((resolve) => extra.signal.addEventListener("abort", resolve, { once: true }))
  did("slow was cancelled")
  return text("never heard")
})
server.registerTool("broken", {}, () => {
  did("broken")
  return { ...text("no such page"), isError: true }
})
server.registerTool("crash", {}, () => {
  did("crash")
  process.exit(3)
})
server.registerTool("add_tool", {}, () => {
  server.registerTool("later", {}, () => text("later"))
  return text("added")
})
server.registerTool("environment", {}, () =>
  text(
    Object.keys(process.env)
      .filter((name) => /HANDRAIL|FOR_ALL/.test(name))
      .join(),
  ),
)
server.registerResource("front", "page://front", {}, (uri) => ({ contents: [{ uri: uri.href, text: "front page" }] }))
server.registerPrompt("greet", {}, () => ({ messages: [{ role: "user", content: { type: "text", text: "hello" } }] }))

if (port === undefined) await server.connect(new StdioServerTransport())
else {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => "one" })
  await server.connect(transport)
  const http = createServer((request, response) => {
    if (request.headers.authorization !== "Bearer upstream-key") return response.writeHead(401).end()
    return transport.handleRequest(request, response)
  })
  http.listen(Number(port), "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}/mcp`))
}
