/**
 * The options of `replay`, checked when it is called: an option is never ignored in silence.
 *
 * What a later version will understand is refused by name, so that nobody believes in a rule that nobody applies.
 */
import { Schema } from "effect"
import { RemoteClient } from "../adapters/http/client/RemoteClient.ts"
import { didYouMean } from "../definition/suggest.ts"
import { Name, SessionId } from "../machines/ids.ts"
import type { Client, DefinitionInput } from "../runtime/Client.ts"
import { WorkflowError } from "../runtime/errors.ts"
import { ReplayConfigError } from "./errors.ts"
import { limits } from "./limits.ts"
import type { Tools } from "./Tools.ts"

/** Creates the workflow with this session as its root, or resumes it where `sessionId` names its root session. */
export interface RootWorkflow {
  readonly type: "root"
  readonly workflowId: string
  readonly role: string
  /** In place of the workflow.yaml that is found beside or above `contractsDir`. */
  readonly definition?: DefinitionInput
}
/** Claims a handoff, or resumes the session that claimed it where `sessionId` names it. */
export interface ChildWorkflow {
  readonly type: "child"
  readonly workflowId: string
  readonly role: string
  readonly parentSessionId: string
  readonly handoffId: string
}

export interface ReplayOptions<T extends Tools = Tools> {
  /** The agent's name, for people who read the journal. */
  readonly agent: string
  /** The directory of the role's session.yaml and tool contracts. */
  readonly contractsDir: string
  readonly tools: T
  readonly workflow: RootWorkflow | ChildWorkflow
  /** `Handrail.open(…)`, `Handrail.connect(…)`, or any other client. It is not closed with the session. */
  readonly runtime?: Client | undefined
  /** In place of `runtime`: where a server is. Default: the environment's `HANDRAIL_URL`. */
  readonly runtimeUrl?: string | undefined
  /** The key to that server. Default: the environment's `HANDRAIL_API_KEY`. */
  readonly apiKey?: string | undefined
  /** Chosen by the caller, so that a restarted process finds its session again. Without it each process is a new session. */
  readonly sessionId?: string | undefined
  /** Default: the first workflow.yaml in `contractsDir` or above it. */
  readonly workflowYamlPath?: string | undefined
  /** Default: session.yaml in `contractsDir`. */
  readonly sessionYamlPath?: string | undefined
  /** Stops the session in this process: running tools abort, waiting calls reject. The session itself stays active. */
  readonly signal?: AbortSignal | undefined
  readonly mode?: "enforce" | undefined
  readonly onError?: "block" | undefined
  /** Retries of a command after trouble with the infrastructure: 0 to 5, default 2; with `runtimeUrl`, that of `connect`. */
  readonly maxRetries?: number | undefined
  /** Renews the claim lease until the first step is committed. Default true. */
  readonly autoHeartbeat?: boolean | undefined
}

/** The options with their defaults. */
export interface Settings extends ReplayOptions {
  readonly runtime: Client
  readonly maxRetries: number
  readonly autoHeartbeat: boolean
}

const known: ReadonlyArray<string> = [
  "agent",
  "contractsDir",
  "tools",
  "workflow",
  "runtime",
  "runtimeUrl",
  "apiKey",
  "sessionId",
  "workflowYamlPath",
  "sessionYamlPath",
  "signal",
  "mode",
  "onError",
  "maxRetries",
  "autoHeartbeat",
]

/** Options of later versions, and what there is until then. */
const later: Readonly<Record<string, string>> = {
  contracts: "Write the contracts to files and give contractsDir.",
  principal: "Name the agent with agent.",
  gate: "It governs the calls of a model's turn; tools alone need none.",
  unmatchedPolicy: "A tool without a contract is always blocked.",
  narrowingFeedback: "It governs a model's tool list; tools alone need none.",
  environment: "Keep one contractsDir for each environment.",
}

const isName = Schema.is(Name)
const isSessionId = Schema.is(SessionId)

export const readOptions = (client: unknown, options: ReplayOptions): Settings => {
  if (client !== null)
    throw wrong("client", "Provider clients are not supported yet. Give null and call the governed tools yourself.")
  if (!isRecord(options)) throw wrong("options", "replay takes its options as its second argument.")
  checkNames(options)
  if (!isName(options.agent)) throw wrong("agent", `agent must be an id, but it is ${shown(options.agent)}.`)
  for (const path of ["contractsDir", "workflowYamlPath", "sessionYamlPath"] as const) {
    const value: unknown = options[path]
    if (value === undefined && path !== "contractsDir") continue
    if (typeof value !== "string" || value === "")
      throw wrong(path, `${path} must be a path, but it is ${shown(value)}.`)
  }
  if (options.sessionId !== undefined && !isSessionId(options.sessionId))
    throw wrong("sessionId", `sessionId must be an id, but it is ${shown(options.sessionId)}.`)
  checkTools(options.tools)
  checkWorkflow(options)
  checkChoices(options)
  const { maxRetries = limits.defaultRetries, autoHeartbeat = true } = options
  if (!Number.isInteger(maxRetries) || maxRetries < 0 || maxRetries > limits.maxRetries)
    throw wrong("maxRetries", `maxRetries must be 0 to ${limits.maxRetries}, but it is ${shown(maxRetries)}.`)
  const runtime = givenRuntime(options)
  // A client made here retries by itself, and knows when the server wants to be asked again.
  return runtime === undefined
    ? { ...options, runtime: connected(options), maxRetries: 0, autoHeartbeat }
    : { ...options, runtime, maxRetries, autoHeartbeat }
}

const wrong = (option: string, message: string): ReplayConfigError => new ReplayConfigError(option, message)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const shown = (value: unknown): string => {
  const text =
    typeof value === "string" ? JSON.stringify(value) : typeof value === "object" ? "an object" : String(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

const checkNames = (options: object): void => {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue
    const instead = Object.hasOwn(later, name) ? later[name] : undefined
    if (instead !== undefined) throw wrong(name, `The option ${name} is not supported yet. ${instead}`)
    const near = didYouMean(name, [...known, ...Object.keys(later)])
    throw wrong(name, `There is no option ${name}${near === undefined ? "." : `: ${near}`}`)
  }
}

const checkTools = (tools: unknown): void => {
  if (!isRecord(tools)) throw wrong("tools", "tools must be an object of functions; {} for none.")
  for (const [name, tool] of Object.entries(tools)) {
    if (typeof tool !== "function")
      throw wrong("tools", `The tool ${name} must be a function, but it is ${shown(tool)}.`)
    if (!isName(name)) throw wrong("tools", `${shown(name)} can't name a tool: a tool's name is an id.`)
  }
}

const checkWorkflow = (options: ReplayOptions): void => {
  const workflow: unknown = options.workflow
  if (!isRecord(workflow) || (workflow.type !== "root" && workflow.type !== "child"))
    throw wrong("workflow", `workflow must be { type: "root", … } or { type: "child", … }.`)
  const { type } = workflow
  const ids = ["workflowId", "role", ...(type === "child" ? ["parentSessionId", "handoffId"] : [])]
  for (const name of ids) {
    if (!isName(workflow[name]))
      throw wrong(`workflow.${name}`, `workflow.${name} must be an id, but it is ${shown(workflow[name])}.`)
  }
  for (const [name, value] of Object.entries(workflow)) {
    if (value === undefined || name === "type" || ids.includes(name)) continue
    if (name !== "definition" || type !== "root")
      throw wrong(`workflow.${name}`, `A ${type} workflow has no option ${name}.`)
  }
  if (type === "root" && workflow.definition !== undefined && options.workflowYamlPath !== undefined)
    throw wrong("workflowYamlPath", "Give workflowYamlPath or workflow.definition, not both.")
  if (type === "child" && options.workflowYamlPath !== undefined)
    throw wrong(
      "workflowYamlPath",
      "A child takes part in a workflow that its root has defined: leave workflowYamlPath out.",
    )
}

const givenRuntime = ({ runtime, runtimeUrl, apiKey }: ReplayOptions): Client | undefined => {
  if (runtime === undefined) return undefined
  if (typeof runtime !== "object" || runtime === null || !("createRoot" in runtime))
    throw wrong("runtime", "runtime must be a client, such as `await Handrail.open({ store })`.")
  for (const [name, value] of Object.entries({ runtimeUrl, apiKey }))
    if (value !== undefined) throw wrong(name, `Give runtime or ${name}, not both.`)
  return runtime
}

const connected = (options: ReplayOptions): Client => {
  const { runtimeUrl = process.env.HANDRAIL_URL, apiKey = process.env.HANDRAIL_API_KEY, maxRetries } = options
  if (runtimeUrl === undefined || runtimeUrl === "")
    throw wrong(
      "runtime",
      "Give a client as runtime, or the url of a server as runtimeUrl or in the environment's HANDRAIL_URL.",
    )
  named("runtimeUrl", () => new RemoteClient({ url: runtimeUrl }))
  // An empty variable is one that was not set.
  const key = apiKey === "" ? undefined : apiKey
  return named("apiKey", () => new RemoteClient({ url: runtimeUrl, apiKey: key, maxRetries }))
}

const named = (option: string, make: () => RemoteClient): RemoteClient => {
  try {
    return make()
  } catch (error) {
    throw error instanceof WorkflowError ? wrong(option, error.detail) : error
  }
}

const checkChoices = (options: ReplayOptions): void => {
  const { mode, onError, autoHeartbeat, signal }: { readonly [name: string]: unknown } = { ...options }
  if (mode !== undefined && mode !== "enforce")
    throw wrong(
      "mode",
      `mode ${shown(mode)} is not supported: only "enforce" is, and "shadow" and "log-only" come later.`,
    )
  if (onError !== undefined && onError !== "block")
    throw wrong("onError", `onError ${shown(onError)} is not supported: only "block" is, and "allow" comes later.`)
  if (autoHeartbeat !== undefined && typeof autoHeartbeat !== "boolean")
    throw wrong("autoHeartbeat", `autoHeartbeat must be true or false, but it is ${shown(autoHeartbeat)}.`)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw wrong("signal", `signal must be an AbortSignal, but it is ${shown(signal)}.`)
}
