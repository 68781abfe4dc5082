/** The workflow.yaml that a command is given: a file, or a directory that holds one. */
import { statSync } from "node:fs"
import { join, relative } from "node:path"
import { artifactOf } from "../definition/compile.ts"
import type { Diagnostic } from "../definition/Diagnostic.ts"
import type { Artifact } from "../machines/definition.ts"
import { ReplayConfigError } from "../sdk/errors.ts"
import { loadDefinition } from "../sdk/files/workflowFiles.ts"
import { UsageError } from "./Command.ts"

export type Loaded =
  | {
      readonly ok: true
      readonly file: string
      readonly artifact: Artifact
      readonly warnings: ReadonlyArray<Diagnostic>
    }
  | { readonly ok: false; readonly file: string; readonly diagnostics: ReadonlyArray<Diagnostic> }

/** Throws `UsageError` where there is nothing to read. */
export const loadFile = (path: string): Loaded => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) throw new UsageError(`there is no file ${path}`)
  const file = found.isDirectory() ? join(path, "workflow.yaml") : path
  try {
    const { definition, warnings } = loadDefinition(
      { type: "root", workflowId: "check", role: "any" },
      { contractsDir: ".", workflowYamlPath: file },
    )
    return { ok: true, file, artifact: artifactOf(definition), warnings }
  } catch (error) {
    if (!(error instanceof ReplayConfigError)) throw error
    if (error.diagnostics.length === 0) throw new UsageError(`${relative(".", file) || file}: ${error.message}`)
    return { ok: false, file, diagnostics: error.diagnostics }
  }
}
