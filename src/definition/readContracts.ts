/**
 * The contracts of the roles: session.yaml as workflow.yaml names it, and the tool contracts of its directory.
 *
 * No file that was sent is dropped in silence: one that is read by no role, or that lies beside a session.yaml and is no tool
 * contract, has a warning; one that does not parse is an error.
 */
import type { Schema } from "effect"
import type { ToolContract } from "../machines/definition.ts"
import { bounds } from "./bounds.ts"
import { baseName, besideWorkflow, directoryOf, isYaml, normalisePath } from "./contractPath.ts"
import type { Locate, Report } from "./Diagnostic.ts"
import { readSession, type SessionFacts } from "./readSession.ts"
import { readTool, type ToolDraft } from "./readTool.ts"
import { nearest } from "./suggest.ts"
import { entryOf, type MapNode, quoted, toJson } from "./tree.ts"
import type { Located } from "./values.ts"
import { parseYaml } from "./yaml.ts"

export type Files = ReadonlyMap<string, string> | Readonly<Record<string, string>>

/** What the files say about one role. */
export interface RoleContracts {
  readonly session: { readonly json: Readonly<Record<string, Schema.Json>>; readonly facts: SessionFacts } | undefined
  /** Sorted by name, so that the order of the files is not part of a definition's identity. */
  readonly tools: ReadonlyArray<ToolDraft>
}

export interface ContractReader {
  /** The contracts of a role that names this session contract. */
  readonly read: (contract: Located<string>) => RoleContracts
  /** Reports the files that no role has read. */
  readonly finish: () => void
}

const noContracts: RoleContracts = { session: undefined, tools: [] }

export const makeContractReader = (
  workflowFile: string,
  files: Files | undefined,
  named: ReadonlyArray<string>,
  report: Report,
): ContractReader => {
  const texts = textsOf(workflowFile, files, report)
  const sessions = new Set(named.map(normalisePath))
  const parsed = new Map<string, MapNode | undefined>()
  const directories = new Set<string>()
  const used = new Set<string>()

  const parse = (path: string): MapNode | undefined => {
    if (!parsed.has(path))
      parsed.set(path, parseYaml(besideWorkflow(workflowFile, path), texts.get(path) ?? "", report))
    used.add(path)
    return parsed.get(path)
  }

  const toolsOf = (directory: string): ReadonlyArray<ToolDraft> => {
    directories.add(directory)
    const drafts: Array<ToolDraft> = []
    for (const path of texts.keys()) {
      if (directoryOf(path) !== directory || !isYaml(path) || sessions.has(path)) continue
      const root = parse(path)
      if (root === undefined) continue
      const draft = entryOf(root, "tool") === undefined ? notATool(root, report) : readTool(root, report)
      if (draft !== undefined) drafts.push(draft)
      if (drafts.length === bounds.toolsPerRole + 1)
        report("out_of_range", root.at, `a role may have at most ${bounds.toolsPerRole} tool contracts`)
    }
    return drafts.sort((a, b) => (a.contract.tool < b.contract.tool ? -1 : 1))
  }

  return {
    read(contract) {
      const path = normalisePath(contract.value)
      if (path === undefined) {
        report("invalid_path", contract.at, `${quoted(contract.value)} is not a path relative to workflow.yaml`)
        return noContracts
      }
      const tools = toolsOf(directoryOf(path))
      if (!texts.has(path)) {
        report(
          "missing_contract",
          contract.at,
          `the session contract ${quoted(contract.value)} was not given, so none of its rules apply`,
          () => {
            const near = texts.has(`${path}/session.yaml`) ? `${path}/session.yaml` : nearest(path, texts.keys())
            return near === undefined ? undefined : `did you mean \`${near}\`?`
          },
        )
        return { session: undefined, tools }
      }
      const root = parse(path)
      const facts = root === undefined ? undefined : readSession(root, report)
      return { session: root === undefined || facts === undefined ? undefined : { json: jsonMap(root), facts }, tools }
    },
    finish() {
      for (const path of texts.keys()) {
        if (used.has(path) || !isYaml(path)) continue
        report(
          "ignored_file",
          startOf(besideWorkflow(workflowFile, path)),
          "no role's session_contract lies in this directory, so the file is not read",
        )
      }
    },
  }
}

/** The tool contracts alone. */
export const contractsOf = (contracts: RoleContracts): ReadonlyArray<ToolContract> =>
  contracts.tools.map((tool) => tool.contract)

const jsonMap = (root: MapNode): Record<string, Schema.Json> =>
  Object.fromEntries(root.entries.map(({ key, value }) => [key, toJson(value)]))

const notATool = (root: MapNode, report: Report): undefined => {
  report("ignored_file", root.at, "the file has no key `tool`, so it is not read as a tool contract", () => {
    const near = nearest(
      "tool",
      root.entries.map((entry) => entry.key),
    )
    return near === undefined ? undefined : `did you mean \`tool\` instead of \`${near}\`?`
  })
  return undefined
}

const startOf =
  (file: string): Locate =>
  () => ({ file, line: 1, column: 1, excerpt: "" })

/** The files by normalised path, within the bounds; workflow.yaml itself is not among them. */
const textsOf = (workflowFile: string, files: Files | undefined, report: Report): ReadonlyMap<string, string> => {
  const texts = new Map<string, string>()
  const pairs: Iterable<[string, string]> = files instanceof Map ? files.entries() : Object.entries(files ?? {})
  let bytes = 0
  for (const [given, text] of pairs) {
    const path = normalisePath(given)
    const at = startOf(besideWorkflow(workflowFile, given))
    bytes += text.length
    if (texts.size === bounds.files || bytes > bounds.totalBytes) {
      report("too_many_files", at, `at most ${bounds.files} files of ${bounds.totalBytes} bytes together`)
      break
    }
    if (path === undefined) report("invalid_path", at, `${quoted(given)} is not a path relative to workflow.yaml`)
    else if (texts.has(path)) report("duplicate_file", at, `two files have the path ${quoted(path)}`)
    else if (path !== baseName(workflowFile.replaceAll("\\", "/"))) texts.set(path, text)
  }
  return texts
}
