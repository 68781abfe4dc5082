/**
 * `replay`: an agent's session in a governed workflow, in one call (wire.md, SDK).
 *
 * It reads the contracts and checks the options at once, and throws `ReplayConfigError` where something is wrong with them; the
 * session itself is created, claimed or resumed on first use.
 */
import { type Diagnostic, formatDiagnostics } from "../definition/index.ts"
import { type Contracts, loadContracts } from "./contracts.ts"
import { ReplayConfigError } from "./errors.ts"
import { limits } from "./limits.ts"
import { type ReplayOptions, readOptions } from "./options.ts"
import { ReplaySession } from "./ReplaySession.ts"
import type { Tools } from "./Tools.ts"
import { loadDefinition } from "./workflowFiles.ts"

/** `client` is null for tools alone; the clients of model providers are not supported yet. */
export const replay = <T extends Tools>(client: null, options: ReplayOptions<T>): ReplaySession<T> => {
  const settings = readOptions(client, options)
  const contracts = loadContracts(settings)
  warn(settings.contractsDir, contracts)
  if (settings.workflow.type === "child") return new ReplaySession(settings, options.tools, contracts, undefined)
  const { input, definition, warnings } = loadDefinition(settings.workflow, settings)
  const { role: name } = settings.workflow
  const role = definition.roles.find((candidate) => candidate.name === name)
  if (role === undefined)
    throw new ReplayConfigError(
      "workflow.role",
      `The definition has no role ${name}. Its roles are: ${definition.roles.map((each) => each.name).join(", ")}.`,
    )
  contracts.checkPinned(role)
  warnOnce("HANDRAIL_DEFINITION", diagnosticText(warnings))
  return new ReplaySession(settings, options.tools, contracts, input)
}

const diagnosticText = (warnings: ReadonlyArray<Diagnostic>): string =>
  warnings.length === 0 ? "" : `The definition has warnings.\n${formatDiagnostics(warnings)}`

const warn = (contractsDir: string, { unenforced, warnings }: Contracts): void => {
  warnOnce("HANDRAIL_DEFINITION", diagnosticText(warnings))
  if (unenforced.length === 0) return
  warnOnce(
    "HANDRAIL_UNENFORCED",
    `These rules in ${contractsDir} are written down but not enforced by this version: ${unenforced.join("; ")}.`,
  )
}

const warned = new Set<string>()

/** Once a process, as Node's own warnings are: an agent that is started a thousand times says it once. */
const warnOnce = (code: string, message: string): void => {
  if (message === "" || warned.has(message)) return
  if (warned.size >= limits.warnings) warned.clear()
  warned.add(message)
  process.emitWarning(message, { type: "HandrailWarning", code })
}
