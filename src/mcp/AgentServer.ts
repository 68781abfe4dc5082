/**
 * An MCP server for agents without an SDK, over any transport: one for each connection, with the sessions that it acts for.
 *
 * No input makes it throw: what is wrong with a call is the tool's answer, and a bug of ours is logged and says so.
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js"
import type { Client } from "../runtime/Client.ts"
import type { Session } from "../runtime/Session.ts"
import { answered, bug, refusalOf, refused } from "./results.ts"
import { SessionBook } from "./SessionBook.ts"
import { agentTools, type CallContext } from "./tools.ts"

export interface AgentServerOptions {
  readonly client: Client
  readonly version: string
  /** A session that was opened for the agent. */
  readonly session: Session | undefined
  readonly defaults: CallContext["defaults"]
  /** One line for the person who runs it. */
  readonly log: (line: string) => void
}

const instructions = (session: Session | undefined): string =>
  [
    "You take part in a workflow that Handrail governs.",
    session === undefined
      ? "Claim a handoff first."
      : `You are session ${session.sessionId}, ${session.role} in workflow ${session.workflowId}; state tells the rest.`,
    "Before a tool that changes something runs, propose it; run it only once it is admitted; then send its receipt.",
    "A refusal is final unless it says retryable: true. After session_killed, stop: nothing that you do is accepted.",
    "When you are done, complete; where you can't go on, fail.",
  ].join(" ")

export const makeAgentServer = ({ client, version, session, defaults, log }: AgentServerOptions): Server => {
  const book = new SessionBook(client)
  if (session !== undefined) book.add(session)
  const server = new Server(
    { name: "handrail", version },
    { capabilities: { tools: {} }, instructions: instructions(session) },
  )
  const tools = new Map(agentTools.map((tool) => [tool.name, tool]))
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: agentTools.map(({ run: _run, ...tool }) => tool),
  }))
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
    const tool = tools.get(params.name)
    if (tool === undefined) throw new McpError(ErrorCode.InvalidParams, `There is no tool ${params.name}.`)
    try {
      return answered(await tool.run(params.arguments ?? {}, { book, defaults, signal }))
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined)
        log(`a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      return refused(refusal ?? bug)
    }
  })
  server.onclose = () => book.close()
  server.onerror = (error) => log(error.message)
  return server
}
