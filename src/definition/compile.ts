/**
 * The compiler: workflow.yaml and its contracts to an artifact, or every diagnostic at once.
 *
 * Pure: the caller reads the files. It never throws on any text, and two texts that say the same have the same hash.
 */
import type { Artifact, Definition } from "../machines/definition.ts"
import { canonicalJson, sha256Hex } from "./canonicalJson.ts"
import { checkContracts } from "./checkContracts.ts"
import { checkDefinition } from "./checkDefinition.ts"
import { normalisePath } from "./contractPath.ts"
import { type Diagnostic, makeReporter } from "./Diagnostic.ts"
import { contractsOf, type Files, makeContractReader } from "./readContracts.ts"
import { Places, readWorkflow } from "./readWorkflow.ts"
import { entryOf } from "./tree.ts"
import { parseYaml } from "./yaml.ts"

export interface Sources {
  /** The path of workflow.yaml, as the user names it: diagnostics say it back. */
  readonly file: string
  readonly text: string
  /** session.yaml files and the tool contracts beside them, by their path relative to workflow.yaml. */
  readonly files?: Files
}

export type CompileResult =
  | { readonly ok: true; readonly artifact: Artifact; readonly warnings: ReadonlyArray<Diagnostic> }
  | { readonly ok: false; readonly diagnostics: ReadonlyArray<Diagnostic> }

export const compile = (sources: Sources): CompileResult => {
  const { report, hasErrors, all } = makeReporter()
  const root = parseYaml(sources.file, sources.text, report)
  const places = new Places()
  const draft = root === undefined ? undefined : readWorkflow(root, places, report)
  if (draft === undefined) return { ok: false, diagnostics: all(sources.file) }

  const named = draft.contracts.flatMap((contract) => (contract === undefined ? [] : [contract.value]))
  const reader = makeContractReader(sources.file, sources.files, named, report)
  const roles = draft.definition.roles.map((role, index) => {
    const contract = draft.contracts[index]
    if (contract === undefined) return role
    const contracts = reader.read(contract)
    contracts.tools.forEach((tool, t) => tool.put(places, ["roles", index, "tools", t]))
    checkContracts(
      {
        session: contracts.session?.facts,
        tools: contracts.tools.map((tool) => ({ name: tool.contract.tool, facts: tool.facts })),
      },
      report,
    )
    return { ...role, session: contracts.session?.json ?? null, tools: contractsOf(contracts) }
  })
  reader.finish()
  const definition: Definition = { ...draft.definition, roles }
  checkDefinition(definition, (path) => places.at(path), report, draft.hasAllEdges)
  const diagnostics = all(sources.file)
  return hasErrors()
    ? { ok: false, diagnostics }
    : { ok: true, artifact: artifactOf(definition), warnings: diagnostics }
}

/** The definition with its hash. */
export const artifactOf = (definition: Definition): Artifact => ({
  hash: sha256Hex(canonicalJson(definition)),
  definition,
})

/**
 * The session contracts that a workflow.yaml names, as normalised relative paths: what a loader reads, each with the
 * other YAML files of its directory. Empty where the text can't be read; `compile` says why.
 */
export const sessionContractPaths = (text: string): ReadonlyArray<string> => {
  const root = parseYaml("workflow.yaml", text, () => {})
  const roles = root === undefined ? undefined : entryOf(root, "roles")?.value
  if (roles?.kind !== "list") return []
  const paths = roles.items.map((role) => {
    const contract = role.kind === "map" ? entryOf(role, "session_contract")?.value : undefined
    return contract?.kind === "scalar" && typeof contract.value === "string" ? normalisePath(contract.value) : undefined
  })
  return [...new Set(paths.filter((path) => path !== undefined))]
}
