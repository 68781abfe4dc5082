/**
 * `replay`: an agent's session in a governed workflow, in one call (wire.md, SDK).
 *
 * It reads the contracts and checks the options at once, and throws `ReplayConfigError` where something is wrong with them; the
 * session itself is created, claimed or resumed on first use.
 */
import { type Diagnostic, formatDiagnostics } from "../definition/index.ts"
import type { DefinitionInput } from "../runtime/Client.ts"
import { ReplayConfigError } from "./errors.ts"
import { type Contracts, loadContracts } from "./files/contracts.ts"
import { loadDefinition } from "./files/workflowFiles.ts"
import { limits } from "./limits.ts"
import { type ReplayOptions, readOptions, type Settings, type WorkflowSettings } from "./options.ts"
import { ReplaySession } from "./ReplaySession.ts"
import type { Tools } from "./tools/Tools.ts"

/**
 * `client`: an OpenAI or Anthropic client, which comes back as `session.client`, the same and governed; or null for tools alone.
 *
 * Without `workflow` the contracts hold in this process only: nothing is shared, durable, or approved by anybody.
 */
export function replay<C extends object | null, T extends Tools>(
  client: C,
  options: ReplayOptions<T> & { readonly tools: T },
): ReplaySession<T, C>
/** Without tools of its own: the agent runs the calls that its model makes, and tells the model what came of them. */
export function replay<C extends object | null>(
  client: C,
  options: Omit<ReplayOptions, "tools"> & { readonly tools?: undefined },
): ReplaySession<NoTools, C>
export function replay<C extends object | null, T extends Tools>(
  client: C,
  options: ReplayOptions<T>,
): ReplaySession<Tools, C> {
  const settings = readOptions(options)
  const contracts = loadContracts(settings)
  warnOnce("HANDRAIL_DEFINITION", diagnosticText(contracts.warnings))
  const definition =
    settings.inWorkflow === undefined ? undefined : definitionFor(settings.inWorkflow, settings, contracts)
  return new ReplaySession(client, settings, settings.tools, contracts, definition)
}

type NoTools = Readonly<Record<never, never>>

/** What a root session creates its workflow from. */
const definitionFor = (
  { workflow, workflowYamlPath }: WorkflowSettings,
  { contractsDir }: Settings,
  contracts: Contracts,
): DefinitionInput | undefined => {
  if (workflow.type === "child") return undefined
  const { input, definition, warnings } = loadDefinition(workflow, { contractsDir, workflowYamlPath })
  const role = definition.roles.find((candidate) => candidate.name === workflow.role)
  if (role === undefined)
    throw new ReplayConfigError(
      "workflow.role",
      `The definition has no role ${workflow.role}. Its roles are: ${definition.roles.map(({ name }) => name).join(", ")}.`,
    )
  contracts.checkPinned(role)
  warnOnce("HANDRAIL_DEFINITION", diagnosticText(warnings))
  return input
}

const diagnosticText = (warnings: ReadonlyArray<Diagnostic>): string =>
  warnings.length === 0 ? "" : `The definition has warnings.\n${formatDiagnostics(warnings)}`

const warned = new Set<string>()

/** Once a process, as Node's own warnings are: an agent that is started a thousand times says it once. */
const warnOnce = (code: string, message: string): void => {
  if (message === "" || warned.has(message)) return
  if (warned.size >= limits.warnings) warned.clear()
  warned.add(message)
  process.emitWarning(message, { type: "HandrailWarning", code })
}
