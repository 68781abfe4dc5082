/** MCP as hosts use it: the official SDK's client, over a real process or a real socket. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { expect, onTestFinished } from "vitest"
import { Handrail, type Session } from "../../src/index.ts"
import { main } from "../cli/command.ts"
import { root } from "../house/package.ts"

export const teamYaml = `schema_version: "1.0"
workflow: team
roles:
  - { name: lead, root: true, session_contract: ./lead/session.yaml }
  - { name: worker, session_contract: ./worker/session.yaml }
handoffs: [{ from: lead, to: worker, claim_timeout: 3s, max_attempts: 3 }]
resources: [{ name: document, mode: exclusive_pending }, { name: queue, mode: serial_only }]
limits: { max_cost: 10 }
`
const files: Readonly<Record<string, string>> = {
  "workflow.yaml": teamYaml,
  "lead/session.yaml": `schema_version: "1.0"
agent: lead
phases: [{ name: look, initial: true }, { name: write }, { name: end, terminal: true }]
transitions: { look: [write], write: [end] }
`,
  "lead/read_page.yaml":
    "tool: read_page\nside_effect: read\ncost: { estimate: 0.01 }\ntransitions: { advances_to: write }\n",
  "lead/write_page.yaml": `tool: write_page
side_effect: write
cost: { estimate: 0.5 }
resources: [{ name: document, key: $.page }]
transitions: { valid_in_phases: [write] }
argument_value_invariants: [{ path: $.text, length_lte: 20 }]
`,
  "lead/slow.yaml": "tool: slow\nside_effect: write\ncost: { estimate: 0.01 }\n",
  "lead/broken.yaml": "tool: broken\nside_effect: read\ncost: { estimate: 0.01 }\n",
  "lead/crash.yaml": "tool: crash\nside_effect: write\ncost: { estimate: 0.01 }\n",
  "worker/session.yaml": `schema_version: "1.0"\nagent: worker\n`,
  "worker/write_page.yaml":
    "tool: write_page\nside_effect: write\ncost: { estimate: 0.5 }\nresources: [{ name: document, key: $.page }]\n",
}

/** The team's governance in a folder of its own. */
export const governance = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-mcp-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

/** A store of its own that other processes may open, too. */
export const storeIn = async (folder: string): Promise<{ readonly store: string; readonly runtime: Handrail }> => {
  const store = `sqlite:${join(folder, "handrail.db")}`
  const runtime = await Handrail.open({ store })
  onTestFinished(() => runtime.close())
  return { store, runtime }
}

/** The root session `lead-1` of workflow `w1`. */
export const rootOf = (runtime: Handrail): Promise<Session> =>
  runtime.createRoot({ workflowId: "w1", role: "lead", agent: "lead", sessionId: "lead-1", definition: rulesOnly })

/** Without contracts: roles, resources and limits alone. */
export const rulesOnly = teamYaml.replaceAll(/, session_contract: [^ ]+/g, ", default_cost: 0.01")

export interface Host {
  readonly client: Client
  readonly call: (name: string, args?: Readonly<Record<string, unknown>>) => Promise<CallToolResult>
  /** What the server said to people. */
  readonly told: () => string
  readonly pid: number
}

const hostOf = (client: Client): Pick<Host, "client" | "call"> => ({
  client,
  call: async (name, args = {}) => {
    const result = await client.callTool({ name, arguments: { ...args } })
    // Of an older form of the protocol, which nobody here speaks.
    if ("toolResult" in result) throw new Error("an old result")
    return result as CallToolResult
  },
})

/** Starts `handrail …` as a host does. */
export const started = async (
  args: ReadonlyArray<string>,
  { env = {} }: { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Host> => {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [main, ...args],
    cwd: root,
    env: { PATH: process.env.PATH ?? "", ...env },
    stderr: "pipe",
  })
  let said = ""
  transport.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString()
  })
  const client = new Client({ name: "test", version: "1" })
  onTestFinished(() => client.close())
  await client.connect(transport).catch((error: unknown) => {
    throw new Error(`it did not start: ${said}`, { cause: error })
  })
  return { ...hostOf(client), told: () => said, pid: transport.pid ?? 0 }
}

export const connected = async (url: string, key?: string): Promise<Pick<Host, "client" | "call">> => {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  const client = new Client({ name: "test", version: "1" })
  onTestFinished(() => client.close())
  await client.connect(transport as Transport)
  return hostOf(client)
}

/** The structured content of an answer; a refusal fails the test. */
export const answer = (result: CallToolResult): Readonly<Record<string, unknown>> => {
  expect(result.isError, JSON.stringify(result)).not.toBe(true)
  expect(result.structuredContent).toBeDefined()
  return result.structuredContent ?? {}
}

/** The refusal's code; an answer fails the test. */
export const refusal = (result: CallToolResult): unknown => {
  expect(result.isError, JSON.stringify(result)).toBe(true)
  const told = result._meta?.["handrail/refusal"]
  // Where the tool's results have a schema, a refusal stands beside them.
  if (result.structuredContent !== undefined || typeof told !== "object" || told === null)
    return result.structuredContent?.code
  return "code" in told ? told.code : undefined
}
