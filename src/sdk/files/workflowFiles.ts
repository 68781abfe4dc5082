/**
 * The definition that a root session brings: workflow.yaml, found or given, with the contract files of all roles that it names.
 *
 * It is compiled here before anything is created, so that a mistake is an error of this program with its place.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { directoryOf } from "../../definition/contractPath.ts"
import {
  type CompileResult,
  compile,
  type Diagnostic,
  formatDiagnostics,
  fromArtifact,
  sessionContractPaths,
} from "../../definition/index.ts"
import type { Definition } from "../../machines/definition.ts"
import type { DefinitionInput } from "../../runtime/Client.ts"
import { ReplayConfigError } from "../errors.ts"
import type { ReplayOptions, RootWorkflow } from "../options.ts"
import { yamlIn } from "./yamlFiles.ts"

export interface LoadedDefinition {
  readonly input: DefinitionInput
  readonly definition: Definition
  readonly warnings: ReadonlyArray<Diagnostic>
}

export const loadDefinition = (
  workflow: RootWorkflow,
  { contractsDir, workflowYamlPath }: Pick<ReplayOptions, "contractsDir" | "workflowYamlPath">,
): LoadedDefinition => {
  if (workflow.definition !== undefined) return compiled(workflow.definition, "workflow.yaml", "workflow.definition")
  const path = workflowYamlPath === undefined ? find(contractsDir) : resolve(workflowYamlPath)
  const option = workflowYamlPath === undefined ? "contractsDir" : "workflowYamlPath"
  const workflowYaml = read(path, option)
  const directory = dirname(path)
  const folders = new Set(sessionContractPaths(workflowYaml).map(directoryOf))
  const files: Record<string, string> = {}
  for (const folder of folders) {
    // A folder that is not there is a contract that was not given: the compiler says so, in its place.
    if (!existsSync(join(directory, folder))) continue
    for (const [name, text] of yamlIn(join(directory, folder), option))
      files[folder === "" ? name : `${folder}/${name}`] = text
  }
  return compiled({ workflowYaml, files }, relative(process.cwd(), path) || path, option)
}

/** The first workflow.yaml in a directory or above it. */
const find = (contractsDir: string | undefined): string => {
  if (contractsDir === undefined)
    throw new ReplayConfigError(
      "workflowYamlPath",
      "A root session needs a workflow.yaml: give workflow.definition, or workflowYamlPath.",
    )
  const looked: Array<string> = []
  for (let directory = resolve(contractsDir); ; directory = dirname(directory)) {
    const path = join(directory, "workflow.yaml")
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path
    looked.push(directory)
    if (dirname(directory) === directory) break
  }
  throw new ReplayConfigError(
    "workflowYamlPath",
    `A root session needs a workflow.yaml, and there is none in ${looked.join(", ")}. Put it beside or above contractsDir, or ` +
      "give workflowYamlPath.",
  )
}

const read = (path: string, option: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ReplayConfigError(option, `workflow.yaml can't be read: ${reason}`)
  }
}

const compiled = (input: DefinitionInput, file: string, option: string): LoadedDefinition => {
  const result = compileInput(input, file)
  if (!result.ok)
    throw new ReplayConfigError(
      option,
      `The definition does not compile.\n${formatDiagnostics(result.diagnostics)}`,
      result.diagnostics,
    )
  return { input, definition: result.artifact.definition, warnings: result.warnings }
}

const compileInput = (input: DefinitionInput, file: string): CompileResult => {
  if (typeof input === "string") return compile({ file, text: input })
  if (!("workflowYaml" in input)) return fromArtifact(input)
  const { workflowYaml, files } = input
  return compile({ file: input.file ?? file, text: workflowYaml, ...(files === undefined ? {} : { files }) })
}
