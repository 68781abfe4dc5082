/**
 * workflow.yaml as a definition, with every default filled in, and the places of its values.
 *
 * Best effort: a value that was reported is left out, so that the rest can be checked against each other. The result is a
 * definition only where nothing was reported as an error. Contracts come later (readContracts.ts).
 */
import { type Definition, type Edge, type Limits, noLimits, type Resource, type Role } from "../machines/definition.ts"
import { bounds } from "./bounds.ts"
import type { Locate, Report } from "./Diagnostic.ts"
import { Fields, readList } from "./Fields.ts"
import { locate, type MapNode, type Node, type Path, toJson } from "./tree.ts"
import {
  type Located,
  located,
  readAmount,
  readBoolean,
  readChoice,
  readCount,
  readDuration,
  readName,
  readPositive,
  readText,
  readVersion,
} from "./values.ts"

/** Where the values of a definition stand in its sources, by their path in the definition. */
export class Places {
  private readonly nodes = new Map<string, Node>()

  put(path: Path, node: Node | undefined): void {
    if (node !== undefined) this.nodes.set(keyOf(path), node)
  }

  /** The place of the value, or of the innermost thing around it that has one. */
  at(path: Path): Locate {
    for (let length = path.length; length >= 0; length -= 1) {
      const node = this.nodes.get(keyOf(path.slice(0, length)))
      if (node !== undefined) return locate(node, path.slice(length))
    }
    throw new Error("the root of a definition has no place")
  }
}

const keyOf = (path: Path): string => JSON.stringify(path)

export interface WorkflowDraft {
  readonly definition: Definition
  /** Per role, in the definition's order: the session contract that it names. */
  readonly contracts: ReadonlyArray<Located<string> | undefined>
  /** False where a handoff could not be read: what is reached can't be told then. */
  readonly hasAllEdges: boolean
}

export const readWorkflow = (root: MapNode, places: Places, report: Report): WorkflowDraft | undefined => {
  places.put([], root)
  const fields = Fields.open(
    root,
    "workflow.yaml",
    ["schema_version", "workflow", "roles", "handoffs", "resources", "limits", "preflight_timeout"],
    report,
  )
  if (fields === undefined) return undefined
  fields.require("schema_version", readVersion, "workflow.yaml")
  const workflow = fields.require("workflow", readName, "workflow.yaml")
  const drafts = fields.require("roles", readList("roles", bounds.roles, readRole), "workflow.yaml") ?? []
  const edges = fields.get("handoffs", readList("handoffs", bounds.handoffs, readEdge)) ?? []
  const resources = fields.get("resources", readList("resources", bounds.resources, readResource)) ?? []
  const limits = fields.get("limits", readLimits("limits"))
  const preflightTimeoutMs = fields.get("preflight_timeout", readDuration)
  const definition: Definition = {
    schemaVersion: "1.0",
    workflow: workflow ?? "",
    roles: drafts.map((draft, index) =>
      draft.make({ root: draft.root ?? (index === 0 && drafts.every((each) => each.root !== true)) }),
    ),
    handoffs: edges.map((edge) => edge.value),
    resources: resources.map((resource) => resource.value),
    limits: limits?.value ?? noLimits,
    preflightTimeoutMs: preflightTimeoutMs ?? 10 * 60_000,
  }
  places.put(["roles"], fields.value("roles"))
  drafts.forEach((draft, index) => draft.put(places, ["roles", index]))
  edges.forEach((edge, index) => edge.put(places, ["handoffs", index]))
  resources.forEach((resource, index) => resource.put(places, ["resources", index]))
  limits?.put(places, ["limits"])
  places.put(["preflightTimeoutMs"], fields.value("preflight_timeout"))
  const edgeList = fields.value("handoffs")
  const hasAllEdges = edgeList === undefined || (edgeList.kind === "list" && edgeList.items.length === edges.length)
  return { definition, contracts: drafts.map((draft) => draft.contract), hasAllEdges }
}

/** A value and how to note its places once its path is known. */
interface Placed<A> {
  readonly value: A
  readonly put: (places: Places, path: Path) => void
}

const readLimits =
  (what: string) =>
  (node: Node, report: Report): Placed<Limits> | undefined => {
    const names = [
      "max_sessions",
      "max_active_sessions",
      "max_steps",
      "max_cost",
      "max_tokens",
      "max_open_handoffs",
      "max_depth",
      "max_duration",
    ] as const
    const fields = Fields.open(node, what, names, report)
    if (fields === undefined) return undefined
    const value: Limits = {
      maxSessions: fields.get("max_sessions", readCount) ?? null,
      maxActiveSessions: fields.get("max_active_sessions", readCount) ?? null,
      maxSteps: fields.get("max_steps", readCount) ?? null,
      maxCost: fields.get("max_cost", readAmount) ?? null,
      maxTokens: fields.get("max_tokens", readCount) ?? null,
      maxOpenHandoffs: fields.get("max_open_handoffs", readCount) ?? null,
      maxDepth: fields.get("max_depth", readCount) ?? null,
      maxDurationMs: fields.get("max_duration", readDuration) ?? null,
    }
    return {
      value,
      put: (places, path) => {
        places.put(path, node)
        for (const name of names) places.put([...path, limitPath[name]], fields.value(name))
      },
    }
  }

const limitPath = {
  max_sessions: "maxSessions",
  max_active_sessions: "maxActiveSessions",
  max_steps: "maxSteps",
  max_cost: "maxCost",
  max_tokens: "maxTokens",
  max_open_handoffs: "maxOpenHandoffs",
  max_depth: "maxDepth",
  max_duration: "maxDurationMs",
} as const

interface RoleDraft {
  /** As it is written; undefined when it is not. */
  readonly root: boolean | undefined
  readonly contract: Located<string> | undefined
  readonly make: (decided: { readonly root: boolean }) => Role
  readonly put: (places: Places, path: Path) => void
}

const readRole = (node: Node, report: Report): RoleDraft | undefined => {
  const fields = Fields.open(node, "a role", ["name", "root", "session_contract", "limits", "default_cost"], report)
  const name = fields?.require("name", readName, "a role")
  const root = fields?.get("root", readBoolean)
  const contract = fields?.get("session_contract", located(readText))
  const limits = fields?.get("limits", readLimits("a role's limits"))
  const defaultCost = fields?.get("default_cost", readAmount)
  if (fields === undefined || name === undefined) return undefined
  return {
    root,
    contract,
    make: (decided) => ({
      name,
      root: decided.root,
      limits: limits?.value ?? noLimits,
      defaultCost: defaultCost ?? null,
      session: null,
      tools: [],
    }),
    put: (places, path) => {
      places.put(path, node)
      places.put([...path, "defaultCost"], fields.value("default_cost"))
      limits?.put(places, [...path, "limits"])
    },
  }
}

const readEdge = (node: Node, report: Report): Placed<Edge> | undefined => {
  const known = [
    "from",
    "to",
    "claim_timeout",
    "offer_timeout",
    "max_attempts",
    "completion",
    "summary_schema",
  ] as const
  const fields = Fields.open(node, "a handoff", known, report)
  // Role names are checked against the roles, not against the pattern: one message for one mistake.
  const from = fields?.require("from", readText, "a handoff")
  const to = fields?.require("to", readText, "a handoff")
  const claimTimeoutMs = fields?.get("claim_timeout", readDuration) ?? null
  const offerTimeoutMs = fields?.get("offer_timeout", readDuration) ?? null
  const maxAttempts = fields?.get("max_attempts", readPositive) ?? null
  const completion = fields?.get("completion", readChoice(["requires_progress", "any"])) ?? "requires_progress"
  const schemaNode = fields?.value("summary_schema")
  if (fields === undefined || from === undefined || to === undefined) return undefined
  const summarySchema = schemaNode === undefined ? null : toJson(schemaNode)
  // An empty `summary_schema:` would compile to "no schema", which is not what it looks like.
  if (schemaNode !== undefined && summarySchema === null) {
    report(
      "invalid_schema",
      schemaNode.at,
      "summary_schema is empty",
      () => "leave the key out, or write a JSON schema",
    )
  }
  return {
    value: { from, to, claimTimeoutMs, offerTimeoutMs, maxAttempts, completion, summarySchema },
    put: (places, path) => {
      places.put(path, node)
      places.put([...path, "summarySchema"], schemaNode)
    },
  }
}

const readResource = (node: Node, report: Report): Placed<Resource> | undefined => {
  const fields = Fields.open(node, "a resource", ["name", "mode", "unresolved", "pending_timeout"], report)
  const name = fields?.require("name", readName, "a resource")
  const mode = fields?.require("mode", readChoice(["exclusive_pending", "single_writer", "serial_only"]), "a resource")
  const unresolved = fields?.get("unresolved", readChoice(["hold", "release"])) ?? "hold"
  const pendingTimeoutMs = fields?.get("pending_timeout", readDuration) ?? null
  if (fields === undefined || name === undefined) return undefined
  // `unresolved: release` whose timeout was reported is not also a release without a timeout.
  const isTimeoutBroken = fields.has("pending_timeout") && pendingTimeoutMs === null
  return {
    value: {
      name,
      mode: mode ?? "exclusive_pending",
      unresolved: isTimeoutBroken ? "hold" : unresolved,
      pendingTimeoutMs,
    },
    put: (places, path) => {
      places.put(path, node)
      places.put([...path, "pendingTimeoutMs"], fields.value("pending_timeout"))
    },
  }
}
