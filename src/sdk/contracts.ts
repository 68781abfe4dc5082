/**
 * The contracts of one role, read from its directory and compiled as the workflow's definition is.
 *
 * A contract that does not compile stops the session from starting, with every mistake and its place. A rule that this version
 * can't enforce yet is listed in `unenforced`: it is never dropped in silence.
 */
import { readFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import type { Schema } from "effect"
import { checkContracts } from "../definition/checkContracts.ts"
import { makeReporter } from "../definition/Diagnostic.ts"
import { canonicalJson, type Diagnostic, formatDiagnostics } from "../definition/index.ts"
import { makeContractReader } from "../definition/readContracts.ts"
import type { Role, ToolContract } from "../machines/definition.ts"
import { type ContractFailureCode, ReplayConfigError, ReplayContractError } from "./errors.ts"
import { yamlIn } from "./yamlFiles.ts"

export interface ContractSources {
  readonly contractsDir: string
  readonly sessionYamlPath?: string | undefined
}

type SessionRules = Readonly<Record<string, Schema.Json>>

export class Contracts {
  readonly session: SessionRules
  readonly tools: ReadonlyMap<string, ToolContract>
  /** Rules that are written down and not enforced by this version, as `file or tool: key`. */
  readonly unenforced: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<Diagnostic>
  readonly #directory: string

  constructor(
    directory: string,
    session: SessionRules,
    tools: ReadonlyArray<ToolContract>,
    warnings: ReadonlyArray<Diagnostic>,
  ) {
    this.#directory = directory
    this.session = session
    this.tools = new Map(tools.map((tool) => [tool.tool, tool]))
    this.unenforced = [...unenforcedOf(session), ...tools.flatMap(unenforcedOfTool)]
    this.warnings = warnings
  }

  /** The contract under which a tool may be called, or why it may not. */
  allowed(tool: string): ToolContract {
    const contract = this.tools.get(tool)
    const blocked = (code: ContractFailureCode, operator: string | null, detail: string) =>
      new ReplayContractError({ tool, path: null, operator, code }, detail)
    if (contract === undefined)
      throw blocked("no_contract", null, `there is no contract of it in ${this.#directory}. Write ${tool}.yaml.`)
    const gate = contract.rest.gate
    if (gate === "block") throw blocked("gate_blocked", "gate", "its contract says gate: block.")
    if (contract.rest.checkpoint === true)
      throw blocked("approval_unsupported", "checkpoint", "a person has to approve it, and this version can't ask one.")
    if (gate === undefined && riskOf(this.session, contract.sideEffect) === "block")
      throw blocked("risk_blocked", "risk_defaults", `session.yaml blocks ${contract.sideEffect} by risk_defaults.`)
    return contract
  }

  /**
   * Checks that the workflow's definition holds these very contracts for the role: the runtime binds resources and prices by
   * the definition, and a contract that only this process knows would bind nothing.
   */
  checkPinned(role: Role): void {
    const pinned = new Map(role.tools.map((tool) => [tool.tool, canonicalJson(tool)]))
    const local = new Map(Array.from(this.tools, ([name, tool]) => [name, canonicalJson(tool)]))
    const names = [...new Set([...pinned.keys(), ...local.keys()])].filter(
      (name) => pinned.get(name) !== local.get(name),
    )
    const differ = role.session === null || canonicalJson(role.session) !== canonicalJson(this.session)
    if (names.length === 0 && !differ) return
    const what = differ ? ["session.yaml", ...names] : names
    throw new ReplayConfigError(
      "contractsDir",
      `The definition of the workflow and ${this.#directory} do not hold the same contracts of role ${role.name}: they ` +
        `differ in ${what.join(", ")}. Let the role's session_contract in workflow.yaml name the session.yaml there, ` +
        "and pass its files along where you give the definition yourself.",
    )
  }
}

export const loadContracts = ({ contractsDir, sessionYamlPath }: ContractSources): Contracts => {
  const directory = resolve(contractsDir)
  const sessionFile = sessionYamlPath === undefined ? join(directory, "session.yaml") : resolve(sessionYamlPath)
  const option = sessionYamlPath === undefined ? "contractsDir" : "sessionYamlPath"
  const name = basename(sessionFile)
  const files = new Map(yamlIn(directory, "contractsDir").map(([file, text]) => [file, text]))
  if (dirname(sessionFile) !== directory || !files.has(name)) files.set(name, sessionText(sessionFile, option))
  const { report, hasErrors, all } = makeReporter()
  // Diagnostics name files as seen from here, which is how the caller named them.
  const file = join(relative(process.cwd(), directory) || ".", "workflow.yaml")
  const reader = makeContractReader(file, files, [name], report)
  const start = { file: sessionFile, line: 1, column: 1, excerpt: "" }
  const { session, tools } = reader.read({ value: name, at: () => start })
  checkContracts(
    { session: session?.facts, tools: tools.map(({ contract, facts }) => ({ name: contract.tool, facts })) },
    report,
  )
  const diagnostics = all(file)
  if (hasErrors() || session === undefined)
    throw new ReplayConfigError(option, `The contracts do not compile.\n${formatDiagnostics(diagnostics)}`, diagnostics)
  const twice = tools.find(({ contract }, index) => tools[index + 1]?.contract.tool === contract.tool)?.contract.tool
  if (twice !== undefined)
    throw new ReplayConfigError("contractsDir", `Two contracts in ${contractsDir} are for the tool ${twice}.`)
  return new Contracts(
    contractsDir,
    session.json,
    tools.map(({ contract }) => contract),
    diagnostics,
  )
}

const sessionText = (path: string, option: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    throw new ReplayConfigError(option, `The role's session.yaml can't be read at ${path}: ${reasonOf(error)}`)
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const isMap = (value: Schema.Json | undefined): value is { readonly [name: string]: Schema.Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const riskOf = (session: SessionRules, sideEffect: string): Schema.Json | undefined => {
  const risks = session.risk_defaults
  return isMap(risks) ? risks[sideEffect] : undefined
}

const unenforcedOf = (session: SessionRules): ReadonlyArray<string> => {
  const transitions = session.transitions
  const sessionLimits = session.session_limits
  return [
    ...(isMap(transitions) && Object.keys(transitions).length > 0 ? ["session.yaml: transitions"] : []),
    ...(isMap(sessionLimits) ? Object.keys(sessionLimits).map((key) => `session.yaml: session_limits.${key}`) : []),
  ]
}

/** `gate` is enforced; every step waits for its tool to return, so `commit_requirement: acknowledged` is too. */
const unenforcedOfTool = ({ tool, rest }: ToolContract): ReadonlyArray<string> =>
  Object.entries(rest).flatMap(([key, value]) =>
    key === "gate" || value === "acknowledged" || key === "checkpoint" ? [] : [`${tool}: ${key}`],
  )
