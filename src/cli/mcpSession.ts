/** The session that an MCP server acts for, by options: a new root, a claimed handoff, or one that is resumed. */
import type { Client } from "../runtime/Client.ts"
import type { Session } from "../runtime/Session.ts"
import type { ChildWorkflow, RootWorkflow } from "../sdk/options.ts"
import { CommandError, type OptionSpec, UsageError } from "./Command.ts"
import type { Input } from "./Input.ts"

export const sessionOptions: Readonly<Record<string, OptionSpec>> = {
  workflow: { kind: "text", value: "ID", describe: "the workflow to take part in" },
  role: { kind: "text", value: "ROLE", describe: "the agent's role" },
  agent: { kind: "text", value: "NAME", describe: "the agent's name, for the journal (default mcp)" },
  definition: { kind: "text", value: "FILE", describe: "of a new root session: the workflow.yaml, or its directory" },
  parent: { kind: "text", value: "SESSION", describe: "of a claim: the session that offered the handoff" },
  handoff: { kind: "text", value: "ID", describe: "of a claim: the handoff" },
  session: { kind: "text", value: "ID", describe: "an id of your own for the session; the same again resumes it" },
}

export const agentOf = (input: Input): string => input.text("agent") ?? "mcp"

/** Undefined where no session is to be opened. */
export const workflowOf = (input: Input): RootWorkflow | ChildWorkflow | undefined => {
  const [workflowId, role] = [input.text("workflow"), input.text("role")]
  const [parentSessionId, handoffId] = [input.text("parent"), input.text("handoff")]
  for (const name of ["role", "definition", "parent", "handoff"])
    if (workflowId === undefined && input.flag(name)) throw new UsageError(`--${name} needs --workflow ID`)
  if ((parentSessionId === undefined) !== (handoffId === undefined))
    throw new UsageError("--parent and --handoff go together: who offered which handoff")
  if (workflowId === undefined || (role === undefined && handoffId === undefined && !input.flag("definition")))
    return undefined
  if (role === undefined) throw new UsageError("--role is needed: as what the agent takes part")
  if (parentSessionId === undefined || handoffId === undefined) return { type: "root", workflowId, role }
  if (input.flag("definition")) throw new UsageError("--definition is of a root; a claim takes part in what there is")
  return { type: "child", workflowId, role, parentSessionId, handoffId }
}

/** Creates, claims or resumes it. Throws what the runtime refuses. */
export const openSession = async (input: Input, client: Client): Promise<Session | undefined> => {
  const workflow = workflowOf(input)
  const [sessionId, agent] = [input.text("session"), agentOf(input)]
  const common = { agent, ...(sessionId === undefined ? {} : { sessionId }) }
  if (workflow === undefined) return sessionId === undefined ? undefined : client.attach({ sessionId })
  if (workflow.type === "child") {
    const { type: _type, ...claim } = workflow
    return client.claim({ ...claim, ...common })
  }
  const { type: _type, workflowId, role } = workflow
  return client.createRoot({ workflowId, role, ...common, definition: await definitionOf(input) })
}

const definitionOf = async (input: Input) => {
  const path = input.text("definition")
  if (path === undefined) throw new UsageError("a new root session needs --definition FILE, its workflow.yaml")
  const { loadFile } = await import("./definitionFile.ts")
  const loaded = loadFile(path)
  if (loaded.ok) return loaded.artifact
  const { formatDiagnostics } = await import("../definition/index.ts")
  throw new CommandError(
    "invalid_definition",
    `${loaded.file} does not compile.\n${formatDiagnostics(loaded.diagnostics)}`,
  )
}

/** Throws where the MCP SDK, which is an optional peer, is not there. */
export const requireSdk = async (): Promise<void> => {
  const { isSdkInstalled, sdkPackage } = await import("../mcp/sdk.ts")
  if (isSdkInstalled()) return
  throw new CommandError("mcp_sdk_missing", `${sdkPackage} is not installed.`, `Add it: npm install ${sdkPackage}`)
}
