/**
 * The contracts of one role, read from its directory or given as texts, and compiled as the workflow's definition is.
 *
 * A contract that does not compile stops the session from starting, with every mistake and its place: a rule is never dropped
 * in silence.
 */
import { readFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import type { Schema } from "effect"
import { checkContracts } from "../../definition/checkContracts.ts"
import { makeReporter } from "../../definition/Diagnostic.ts"
import { canonicalJson, type Diagnostic, formatDiagnostics } from "../../definition/index.ts"
import { makeContractReader } from "../../definition/readContracts.ts"
import { type ContractRules, compileContracts } from "../../machines/contracts/index.ts"
import type { Role, ToolContract } from "../../machines/definition.ts"
import { ReplayConfigError } from "../errors.ts"
import { yamlIn } from "./yamlFiles.ts"

/** `contracts`: texts by file name, in place of the directory. */
export interface ContractSources {
  readonly contractsDir?: string | undefined
  readonly contracts?: Readonly<Record<string, string>> | undefined
  readonly sessionYamlPath?: string | undefined
}

type SessionJson = Readonly<Record<string, Schema.Json>>

export class Contracts {
  readonly session: SessionJson
  readonly tools: ReadonlyMap<string, ToolContract>
  readonly rules: ContractRules
  readonly warnings: ReadonlyArray<Diagnostic>
  /** How the caller named their place. */
  readonly #place: string

  constructor(
    place: string,
    session: SessionJson,
    tools: ReadonlyArray<ToolContract>,
    warnings: ReadonlyArray<Diagnostic>,
  ) {
    this.#place = place
    this.session = session
    this.tools = new Map(tools.map((tool) => [tool.tool, tool]))
    this.rules = compileContracts(session, tools)
    this.warnings = warnings
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
      `The definition of the workflow and ${this.#place} do not hold the same contracts of role ${role.name}: they ` +
        `differ in ${what.join(", ")}. Let the role's session_contract in workflow.yaml name the session.yaml there, ` +
        "and pass its files along where you give the definition yourself.",
    )
  }
}

export const loadContracts = (sources: ContractSources): Contracts => {
  const { directory, name, files, option } = filesOf(sources)
  const { report, hasErrors, all } = makeReporter()
  // Diagnostics name files as seen from here, which is how the caller named them.
  const file = join(relative(process.cwd(), directory) || ".", "workflow.yaml")
  const reader = makeContractReader(file, files, [name], report)
  const start = { file: join(directory, name), line: 1, column: 1, excerpt: "" }
  const { session, tools } = reader.read({ value: name, at: () => start })
  checkContracts(
    { session: session?.facts, tools: tools.map(({ contract, facts }) => ({ name: contract.tool, facts })) },
    report,
  )
  const diagnostics = all(file)
  if (hasErrors() || session === undefined)
    throw new ReplayConfigError(option, `The contracts do not compile.\n${formatDiagnostics(diagnostics)}`, diagnostics)
  const place = sources.contractsDir ?? "contracts"
  const twice = tools.find(({ contract }, index) => tools[index + 1]?.contract.tool === contract.tool)?.contract.tool
  if (twice !== undefined) throw new ReplayConfigError(option, `Two contracts in ${place} are for the tool ${twice}.`)
  return new Contracts(
    place,
    session.json,
    tools.map(({ contract }) => contract),
    diagnostics,
  )
}

interface ContractFiles {
  readonly directory: string
  /** The session contract among the files. */
  readonly name: string
  readonly files: ReadonlyMap<string, string>
  /** The option to blame. */
  readonly option: string
}

const filesOf = ({ contractsDir, contracts, sessionYamlPath }: ContractSources): ContractFiles => {
  if (contracts !== undefined) {
    if (!Object.hasOwn(contracts, "session.yaml"))
      throw new ReplayConfigError("contracts", `contracts has no "session.yaml", the role's session contract.`)
    return { directory: ".", name: "session.yaml", files: new Map(Object.entries(contracts)), option: "contracts" }
  }
  const directory = resolve(contractsDir ?? ".")
  const sessionFile = sessionYamlPath === undefined ? join(directory, "session.yaml") : resolve(sessionYamlPath)
  const option = sessionYamlPath === undefined ? "contractsDir" : "sessionYamlPath"
  const name = basename(sessionFile)
  const files = new Map(yamlIn(directory, "contractsDir").map(([file, text]) => [file, text]))
  if (dirname(sessionFile) !== directory || !files.has(name)) files.set(name, sessionText(sessionFile, option))
  return { directory, name, files, option }
}

const sessionText = (path: string, option: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    throw new ReplayConfigError(option, `The role's session.yaml can't be read at ${path}: ${reasonOf(error)}`)
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
