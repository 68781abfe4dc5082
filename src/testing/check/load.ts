/** The definition that is to be checked: a path, the text, or an artifact. */
import { artifactOf, formatDiagnostics, fromArtifact } from "../../definition/index.ts"
import type { Artifact } from "../../machines/definition.ts"
import type { DefinitionInput } from "../../runtime/Client.ts"
import { ReplayConfigError } from "../../sdk/errors.ts"
import { loadDefinition } from "../../sdk/files/workflowFiles.ts"

/**
 * A string is the path of a workflow.yaml, whose contracts are read beside it, or its text where it has more than one line.
 * Throws `ReplayConfigError`, with diagnostics where the definition does not compile.
 */
export const loadForCheck = (input: DefinitionInput): Artifact => {
  if (typeof input === "object" && "definition" in input && "hash" in input) {
    const result = fromArtifact(input)
    if (result.ok) return result.artifact
    throw new ReplayConfigError("definition", formatDiagnostics(result.diagnostics), result.diagnostics)
  }
  const isPath = typeof input === "string" && !input.includes("\n")
  const { definition } = loadDefinition(
    { type: "root", workflowId: "check", role: "any", ...(isPath ? {} : { definition: input }) },
    { contractsDir: ".", ...(isPath ? { workflowYamlPath: input } : {}) },
  )
  return artifactOf(definition)
}
