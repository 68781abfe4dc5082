/**
 * The runtime form of a definition: look-ups by name and the compiled summary validators.
 *
 * `definition/rules.ts` makes it from an artifact. The rules of this layer read it and nothing else of a definition, so
 * that they need neither YAML nor a JSON schema library.
 */
import type { Definition, Edge, Resource, Role, ToolContract } from "./definition.ts"

export interface SummaryProblem {
  readonly path: string
  readonly message: string
}

export interface Rules {
  readonly hash: string
  readonly definition: Definition
  role(name: string): Role | undefined
  edge(from: string, to: string): Edge | undefined
  resource(name: string): Resource | undefined
  tool(role: string, tool: string): ToolContract | undefined
  /** How long a call of the tool waits for a person to approve it, in milliseconds; null where it needs nobody. */
  approvalMs(contract: ToolContract): number | null
  /** Undefined when the summary fits the edge's schema; else the problems. */
  summaryProblems(edge: Edge, summary: unknown): ReadonlyArray<SummaryProblem> | undefined
}
