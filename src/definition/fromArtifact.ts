/**
 * A compiled artifact that somebody sent, as JSON: trusted in nothing.
 *
 * Its shape, its hash, every cross-reference and every kept rule are checked as the compiler checks them in the files. There
 * are no lines in it, so a diagnostic's excerpt is the JSON pointer of the value.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { type Artifact, Definition } from "../machines/definition.ts"
import { canonicalJson, sha256Hex } from "./canonicalJson.ts"
import { checkContracts } from "./checkContracts.ts"
import { checkDefinition } from "./checkDefinition.ts"
import type { CompileResult } from "./compile.ts"
import { makeReporter, type Report } from "./Diagnostic.ts"
import { readSession } from "./readSession.ts"
import { readToolRest } from "./readTool.ts"
import { artifactPlace, fromJson, type Node, nodeAt, type Path, toJson } from "./tree.ts"

const ArtifactJson = Schema.Struct({ hash: Schema.String, definition: Definition })
const decode = Schema.decodeUnknownResult(ArtifactJson, { errors: "all", onExcessProperty: "error" })
const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** The file that diagnostics of an artifact name, unless the caller knows one. */
const defaultFile = "artifact"

export const fromArtifact = (value: unknown, file: string = defaultFile): CompileResult => {
  const { report, hasErrors, all } = makeReporter()
  const root = fromJson(value, file, [], report)
  const artifact = root === undefined ? undefined : decodeArtifact(root, file, report)
  if (root !== undefined && artifact !== undefined) {
    const { definition, hash } = artifact
    if (sha256Hex(canonicalJson(definition)) !== hash) {
      report(
        "artifact_hash",
        artifactPlace(file, ["hash"]),
        "the hash is not that of the definition",
        () => "compile it again from its workflow.yaml",
      )
    }
    checkKeptContracts(artifact, root, report)
    checkDefinition(definition, (path) => artifactPlace(file, ["definition", ...path]), report)
  }
  const diagnostics = all(file)
  return artifact === undefined || hasErrors()
    ? { ok: false, diagnostics }
    : { ok: true, artifact, warnings: diagnostics }
}

/** Decoded from a copy, so that the caller can't change it afterwards. */
const decodeArtifact = (root: Node, file: string, report: Report): Artifact | undefined => {
  const decoded = decode(toJson(root))
  if (Result.isSuccess(decoded)) return decoded.success
  for (const issue of formatIssue(decoded.failure.issue).issues) {
    report("artifact_invalid", artifactPlace(file, pathOf(issue.path ?? [])), issue.message)
  }
  return undefined
}

const pathOf = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): Path =>
  path.map((step) => (typeof step === "object" ? String(step.key) : String(step)))

/** The parts that the schema only knows as JSON: session contracts, and the kept keys of tool contracts. */
const checkKeptContracts = ({ definition }: Artifact, root: Node, report: Report): void => {
  definition.roles.forEach((role, index) => {
    const base: Path = ["definition", "roles", index]
    const sessionNode = role.session === null ? undefined : nodeAt(root, [...base, "session"])
    const session = sessionNode === undefined ? undefined : readSession(sessionNode, report)
    const tools = role.tools.flatMap((tool, t) => {
      const rest = nodeAt(root, [...base, "tools", t, "rest"])
      const facts = rest === undefined ? undefined : readToolRest(rest, report)
      return facts === undefined ? [] : [{ name: tool.tool, facts }]
    })
    checkContracts({ session, tools }, report)
  })
}
