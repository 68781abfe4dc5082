/**
 * The options of `replay`, checked when it is called: an option is never ignored in silence.
 */
import { Schema } from "effect"
import { RemoteClient } from "../adapters/http/client/RemoteClient.ts"
import { didYouMean } from "../definition/suggest.ts"
import { Name, SessionId } from "../machines/ids.ts"
import type { Client, DefinitionInput } from "../runtime/Client.ts"
import { WorkflowError } from "../runtime/errors.ts"
import { ReplayConfigError } from "./errors.ts"
import type { Decision } from "./governor/Decision.ts"
import { checkPrices, type Prices } from "./governor/prices.ts"
import type { Policy } from "./governor/Rulebook.ts"
import { limits } from "./limits.ts"
import type { Recoveries } from "./link/recover.ts"
import type { Tools } from "./tools/Tools.ts"

export type Mode = "enforce" | "shadow" | "log-only"
export type Gate = "reject_all" | "strip_partial" | "strip_blocked"
export type NarrowingFeedback = "silent" | "metadata" | "inject"

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

/**
 * `contractsDir` or `contracts` is given, and in a workflow `workflow` with where it runs. Outside of one, the options
 * that are of use in a workflow only are refused.
 */
export interface ReplayOptions<T extends Tools = Tools> {
  /** The agent's name, for people who read the journal. */
  readonly agent: string
  /** The functions that the agent may call, governed as `session.tools`. Leave it out where the agent runs its tools itself. */
  readonly tools?: T | undefined
  /** For whom the agent acts, and where: kept with every decision, and told to `policy`. */
  readonly principal?: string | undefined
  readonly environment?: string | undefined
  /**
   * `enforce` (default). `shadow`: nothing is blocked, and each decision says what would have been. `log-only`: nothing is
   * judged either. In a workflow the calls count in its budgets whatever the mode, and a kill ends the session.
   */
  readonly mode?: Mode | undefined
  /**
   * What a blocked call does to its model's answer. `reject_all` (default): the whole answer is rejected.
   * `strip_partial`: the call is taken out; an answer with no call left is rejected. `strip_blocked`: the call is taken
   * out, and the rest is passed on also where no call is left.
   */
  readonly gate?: Gate | undefined
  /** A tool without a contract. Default `block`. */
  readonly unmatchedPolicy?: "block" | "allow" | undefined
  /** How often a rejected answer is fed back to the model with its failures: 0 (default) to 5. */
  readonly maxRetries?: number | undefined
  /**
   * What the model is told of tools that it is not offered now. `silent` (default): nothing. `metadata`: nothing, and
   * `decisionOf` of the answer says it to the agent. `inject`: a line of the request's instructions.
   */
  readonly narrowingFeedback?: NarrowingFeedback | undefined
  /** What models cost, per million tokens. A model without a price is refused where a cost is limited. */
  readonly prices?: Prices | undefined
  /** The caller's own rule, by tool: true, or false or a reason. Asked when tools are offered and when they are called. */
  readonly policy?: Policy | undefined
  /** Hears of each decision as it is made. What it throws is ignored. */
  readonly onDecision?: ((decision: Decision) => void) | undefined
  /** Endpoints of the client that can make tool calls past the contracts, such as batches. Default `block`. */
  readonly ungovernedEndpoints?: "block" | "allow" | undefined
  /** Default: session.yaml in `contractsDir`. */
  readonly sessionYamlPath?: string | undefined
  /** Stops the session in this process: running tools abort, waiting calls reject. The session itself stays active. */
  readonly signal?: AbortSignal | undefined

  /** The directory of the role's session.yaml and tool contracts. */
  readonly contractsDir?: string | undefined
  /** In its place: session.yaml and tool contracts as texts, by file name. */
  readonly contracts?: Readonly<Record<string, string>> | undefined

  /** The workflow that the session takes part in. Without it the contracts hold in this process, and nothing is durable. */
  readonly workflow?: RootWorkflow | ChildWorkflow | undefined
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
  /**
   * What happens while the control plane can't be reached. `block` (default): nothing is called. `allow`: the contracts hold,
   * and calls go through unguarded, `maxUnguardedCalls` of them at most.
   */
  readonly onError?: "block" | "allow" | undefined
  /** 1 to 1,000, default 10: model and tool calls since the control plane last answered. */
  readonly maxUnguardedCalls?: number | undefined
  /** By tool: finds out what became of a step that this session began before its process died. */
  readonly recover?: Recoveries | undefined
  /** Renews the claim lease until the first step is committed. Default true. */
  readonly autoHeartbeat?: boolean | undefined
}

/** The options with their defaults. */
export interface Settings extends ReplayOptions {
  readonly tools: Tools
  readonly mode: Mode
  readonly gate: Gate
  readonly unmatchedPolicy: "block" | "allow"
  readonly maxRetries: number
  readonly narrowingFeedback: NarrowingFeedback
  readonly contractsDir: string | undefined
  readonly contracts: Readonly<Record<string, string>> | undefined
  /** Undefined outside of a workflow. */
  readonly inWorkflow: WorkflowSettings | undefined
}

export interface WorkflowSettings {
  readonly workflow: RootWorkflow | ChildWorkflow
  readonly runtime: Client
  readonly sessionId: string | undefined
  readonly workflowYamlPath: string | undefined
  /** Tries of a command again after trouble with the infrastructure. */
  readonly commandRetries: number
  readonly unguardedCalls: number
  readonly recover: Recoveries
  readonly autoHeartbeat: boolean
}

const ofAgents: ReadonlyArray<string> = [
  "agent",
  "tools",
  "principal",
  "environment",
  "mode",
  "gate",
  "unmatchedPolicy",
  "maxRetries",
  "narrowingFeedback",
  "prices",
  "policy",
  "onDecision",
  "ungovernedEndpoints",
  "sessionYamlPath",
  "signal",
  "contractsDir",
  "contracts",
  "workflow",
]
const ofWorkflows = [
  "runtime",
  "runtimeUrl",
  "apiKey",
  "sessionId",
  "workflowYamlPath",
  "onError",
  "maxUnguardedCalls",
  "recover",
  "autoHeartbeat",
] as const

const isName = Schema.is(Name)
const isSessionId = Schema.is(SessionId)

export const readOptions = (options: ReplayOptions): Settings => {
  if (!isRecord(options)) throw wrong("options", "replay takes its options as its second argument.")
  checkNames(options)
  const { agent, tools = {}, contractsDir, contracts } = options
  if (!isName(agent)) throw wrong("agent", `agent must be an id, but it is ${shown(agent)}.`)
  checkSources(options)
  checkTools(tools)
  checkChoices(options)
  checkFunctions(options)
  checkPrices(options.prices)
  return {
    ...options,
    tools,
    mode: options.mode ?? "enforce",
    gate: options.gate ?? "reject_all",
    unmatchedPolicy: options.unmatchedPolicy ?? "block",
    maxRetries: count(options, "maxRetries", 0, { least: 0, most: limits.maxRetries }),
    narrowingFeedback: options.narrowingFeedback ?? "silent",
    contractsDir,
    contracts,
    inWorkflow: workflowSettings(options),
  }
}

const workflowSettings = (options: ReplayOptions): WorkflowSettings | undefined => {
  if (options.workflow === undefined) {
    const extra = ofWorkflows.find((name) => options[name] !== undefined)
    if (extra === undefined) return undefined
    throw wrong(extra, `${extra} is of use in a workflow only: give workflow too, or leave it out.`)
  }
  const { workflow, sessionId, workflowYamlPath, autoHeartbeat = true, recover = {} } = options
  if (sessionId !== undefined && !isSessionId(sessionId))
    throw wrong("sessionId", `sessionId must be an id, but it is ${shown(sessionId)}.`)
  checkWorkflow(options)
  const unguarded = count(options, "maxUnguardedCalls", limits.unguardedCalls, {
    least: 1,
    most: limits.maxUnguardedCalls,
  })
  if (options.maxUnguardedCalls !== undefined && options.onError !== "allow")
    throw wrong("maxUnguardedCalls", `maxUnguardedCalls is of use with onError: "allow" only.`)
  const given = givenRuntime(options)
  return {
    workflow,
    sessionId,
    workflowYamlPath,
    autoHeartbeat,
    recover,
    unguardedCalls: options.onError === "allow" ? unguarded : 0,
    runtime: given ?? connected(options),
    // A client made here retries by itself, and knows when the server wants to be asked again.
    commandRetries: given === undefined ? 0 : limits.commandRetries,
  }
}

const count = (
  options: ReplayOptions,
  name: "maxRetries" | "maxUnguardedCalls",
  otherwise: number,
  { least, most }: { readonly least: number; readonly most: number },
): number => {
  const value = options[name] ?? otherwise
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw wrong(name, `${name} must be ${least} to ${most}, but it is ${shown(value)}.`)
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
  const known = [...ofAgents, ...ofWorkflows]
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue
    const near = didYouMean(name, known)
    throw wrong(name, `There is no option ${name}${near === undefined ? "." : `: ${near}`}`)
  }
}

const checkSources = (options: ReplayOptions): void => {
  const { contracts, contractsDir }: { readonly [name: string]: unknown } = { ...options }
  for (const path of ["contractsDir", "workflowYamlPath", "sessionYamlPath"] as const) {
    const value: unknown = options[path]
    if (value !== undefined && (typeof value !== "string" || value === ""))
      throw wrong(path, `${path} must be a path, but it is ${shown(value)}.`)
  }
  if (contracts === undefined && contractsDir === undefined)
    throw wrong(
      "contractsDir",
      "Give contractsDir, the directory of session.yaml and the tool contracts, or contracts.",
    )
  if (contracts === undefined) return
  if (contractsDir !== undefined) throw wrong("contracts", "Give contractsDir or contracts, not both.")
  if (!isRecord(contracts) || Object.values(contracts).some((text) => typeof text !== "string"))
    throw wrong("contracts", `contracts must be an object of texts by file name, such as { "session.yaml": "…" }.`)
  if (options.sessionYamlPath !== undefined)
    throw wrong("sessionYamlPath", "Give the session contract as session.yaml in contracts, or contractsDir.")
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
  const { runtimeUrl = process.env.HANDRAIL_URL, apiKey = process.env.HANDRAIL_API_KEY } = options
  if (runtimeUrl === undefined || runtimeUrl === "")
    throw wrong(
      "runtime",
      "Give a client as runtime, or the url of a server as runtimeUrl or in the environment's HANDRAIL_URL.",
    )
  named("runtimeUrl", () => new RemoteClient({ url: runtimeUrl }))
  // An empty variable is one that was not set.
  const key = apiKey === "" ? undefined : apiKey
  return named("apiKey", () => new RemoteClient({ url: runtimeUrl, apiKey: key }))
}

const named = (option: string, make: () => RemoteClient): RemoteClient => {
  try {
    return make()
  } catch (error) {
    throw error instanceof WorkflowError ? wrong(option, error.detail) : error
  }
}

const choices = {
  mode: ["enforce", "shadow", "log-only"],
  gate: ["reject_all", "strip_partial", "strip_blocked"],
  unmatchedPolicy: ["block", "allow"],
  onError: ["block", "allow"],
  narrowingFeedback: ["silent", "metadata", "inject"],
  ungovernedEndpoints: ["block", "allow"],
} as const

const checkChoices = (options: ReplayOptions): void => {
  const given: { readonly [name: string]: unknown } = { ...options }
  for (const [name, allowed] of Object.entries(choices)) {
    const value = given[name]
    if (value === undefined || allowed.some((choice) => choice === value)) continue
    const all = allowed.map((choice) => JSON.stringify(choice)).join(", ")
    throw wrong(name, `${name} must be one of ${all}, but it is ${shown(value)}.`)
  }
  const { autoHeartbeat, signal } = given
  if (autoHeartbeat !== undefined && typeof autoHeartbeat !== "boolean")
    throw wrong("autoHeartbeat", `autoHeartbeat must be true or false, but it is ${shown(autoHeartbeat)}.`)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw wrong("signal", `signal must be an AbortSignal, but it is ${shown(signal)}.`)
  for (const name of ["principal", "environment"]) {
    const value = given[name]
    if (value !== undefined && (typeof value !== "string" || value === "" || value.length > limits.labelChars))
      throw wrong(name, `${name} must be a text of 1 to ${limits.labelChars} characters, but it is ${shown(value)}.`)
  }
}

const checkFunctions = (options: ReplayOptions): void => {
  const { policy, onDecision, recover }: { readonly [name: string]: unknown } = { ...options }
  for (const [name, value] of Object.entries({ policy, onDecision }))
    if (value !== undefined && typeof value !== "function")
      throw wrong(name, `${name} must be a function, but it is ${shown(value)}.`)
  if (recover === undefined) return
  if (!isRecord(recover)) throw wrong("recover", "recover must be an object of functions by tool.")
  for (const [tool, value] of Object.entries(recover))
    if (typeof value !== "function")
      throw wrong("recover", `The recovery of ${tool} must be a function, but it is ${shown(value)}.`)
}
