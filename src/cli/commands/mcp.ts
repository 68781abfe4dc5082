/** `handrail mcp`: an MCP server for agents without an SDK, on standard input and output or on HTTP. */
import { readFileSync } from "node:fs"
import type { Client } from "../../runtime/Client.ts"
import { type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Input } from "../Input.ts"
import { sessionOptions } from "../mcpSession.ts"
import type { Terminal } from "../Terminal.ts"
import { targetOptions } from "../target.ts"

export const mcp: CommandSpec = {
  name: "mcp",
  summary: "let agents take part through MCP",
  about: [
    "An MCP server with the tools claim, handoff, propose, receipt, complete, fail, state, heartbeat and kill_self. On " +
      "standard input and output, for the host that starts it; or with --http on a port. Nothing else is printed there: what " +
      "is said goes to standard error.",
    "The agent claims a handoff by itself, unless it is given a session: a new root (--workflow, --role, " +
      "--definition), a claim " +
      "(--workflow, --role, --parent, --handoff), or one to resume (--session). While the connection lives its claim " +
      "lease is " +
      "renewed. When it ends, the session stays active: start it again with the same --session.",
    "Needs @modelcontextprotocol/sdk, which is installed beside handrail.",
  ],
  arguments: [],
  options: {
    ...sessionOptions,
    http: { kind: "count", value: "PORT", describe: "serve on HTTP, at /mcp; 0 takes a free port" },
    host: {
      kind: "text",
      value: "HOST",
      describe: "with --http (default 127.0.0.1); others than this machine need a key",
    },
    "key-file": {
      kind: "text",
      value: "FILE",
      describe: "with --http: the key that callers need, as Authorization: Bearer (HANDRAIL_MCP_KEY)",
    },
    ...targetOptions,
  },
  examples: [
    { command: "handrail mcp --url http://127.0.0.1:4000", what: "as a host starts it; the agent claims by itself" },
    {
      command: "handrail mcp --workflow pr-42 --role lead --definition governance --session pr-42-lead",
      what: "as the root of a new workflow, or the same one again",
    },
    { command: "handrail mcp --http 4100", what: "for hosts that connect" },
  ],
  exits: [
    [exitCodes.ok, "the host has gone, or it was asked to stop"],
    [exitCodes.found, "refused: no such session or store, a handoff that another has claimed, no SDK"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { requireSdk } = await import("../mcpSession.ts")
    await requireSdk()
    const port = input.count("http")
    if (port === undefined)
      for (const name of ["host", "key-file"]) if (input.flag(name)) throw new UsageError(`--${name} needs --http PORT`)
    const { withClient } = await import("../target.ts")
    return withClient(input, terminal, (client) => run(input, terminal, client, port), { created: input.flag("store") })
  },
}

const run = async (input: Input, terminal: Terminal, client: Client, port: number | undefined): Promise<number> => {
  const { makeAgentServer } = await import("../../mcp/AgentServer.ts")
  const { agentOf, openSession } = await import("../mcpSession.ts")
  const { stopSignal } = await import("../signals.ts")
  const { version } = await import("../version.ts")
  const log = (line: string): void => terminal.tell(`handrail mcp: ${line}`)
  const session = await openSession(input, client)
  if (session !== undefined) log(`session ${session.sessionId} in workflow ${session.workflowId}`)
  const defaults = { workflowId: input.text("workflow"), agent: agentOf(input) }
  const makeServer = () => makeAgentServer({ client, version: version(), session, defaults, log })
  const { signal, stopped, release } = stopSignal(() => process.exit(exitCodes.found))
  try {
    if (port === undefined) {
      const { serveStdio } = await import("../../mcp/stdio.ts")
      await serveStdio(makeServer(), signal)
      return exitCodes.ok
    }
    const { serveHttp } = await import("../../mcp/HttpHost.ts")
    const key = keyOf(input, terminal.env)
    const host = await serveHttp({ host: input.text("host") ?? "127.0.0.1", port, key, makeServer, log })
    terminal.print(`listening on ${host.url}`)
    await stopped
    await host.close()
    return exitCodes.ok
  } finally {
    release()
  }
}

const keyOf = (input: Input, env: Terminal["env"]): string | undefined => {
  const file = input.text("key-file")
  const key = file === undefined ? env.HANDRAIL_MCP_KEY : readKey(file)
  if (key === undefined || key.length >= shortestKey) return key
  throw new UsageError(`the key of callers needs at least ${shortestKey} characters`)
}

/** What nobody guesses. */
const shortestKey = 16

const readKey = (file: string): string => {
  try {
    return readFileSync(file, "utf8").trim()
  } catch (error) {
    throw new UsageError(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}
