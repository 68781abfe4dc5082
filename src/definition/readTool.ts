/**
 * A tool contract: the keys that bind resources, cost and time are compiled; the others are checked and kept as written.
 */
import { EvidenceClass, type ResourceBinding, SideEffect, type ToolContract } from "../machines/definition.ts"
import { parseArgumentPath } from "../machines/paths.ts"
import { bounds } from "./bounds.ts"
import { readCheckpoint } from "./checkpoint.ts"
import type { Report } from "./Diagnostic.ts"
import { Fields, readList } from "./Fields.ts"
import type { Places } from "./readWorkflow.ts"
import { describe, type MapNode, type Node, type Path, quoted, toJson } from "./tree.ts"
import {
  isName,
  type Located,
  located,
  readAmount,
  readBoolean,
  readChoice,
  readCount,
  readFinite,
  readName,
  readPath,
  readPositive,
  readText,
} from "./values.ts"

/** The names in a contract that its role's session and other tools must know. */
export interface ToolFacts {
  readonly phases: ReadonlyArray<Located<string>>
  /** Where a call leads, and from which phases; undefined where that is left open. */
  readonly advancesTo: Located<string> | undefined
  readonly validInPhases: ReadonlyArray<string> | undefined
  readonly tools: ReadonlyArray<Located<string>>
}

export interface ToolDraft {
  readonly contract: ToolContract
  readonly facts: ToolFacts
  readonly put: (places: Places, path: Path) => void
}

const compiledKeys = ["tool", "side_effect", "evidence_class", "resources", "cost", "timeouts"] as const
const restKeys = [
  "commit_requirement",
  "transitions",
  "preconditions",
  "forbids_after",
  "argument_value_invariants",
  "gate",
  "checkpoint",
] as const
type RestKey = (typeof restKeys)[number]

export const readTool = (node: MapNode, report: Report): ToolDraft | undefined => {
  const fields = Fields.open(node, "a tool contract", [...compiledKeys, ...restKeys], report)
  if (fields === undefined) return undefined
  const tool = fields.require("tool", readName, "a tool contract")
  const sideEffect = fields.require("side_effect", readChoice(SideEffect.literals), "a tool contract")
  const evidenceClass = fields.get("evidence_class", readChoice(EvidenceClass.literals))
  const resources = fields.get("resources", readList("resources", bounds.listItems, readBinding)) ?? []
  const estimate = fields.get("cost", (inner, rep) =>
    Fields.open(inner, "cost", ["estimate"], rep)?.require("estimate", readAmount, "cost"),
  )
  const timeoutMs = fields.get("timeouts", (inner, rep) =>
    Fields.open(inner, "timeouts", ["total_ms"], rep)?.require("total_ms", readTimeout, "timeouts"),
  )
  const facts = readRest(fields)
  if (tool === undefined) return undefined
  const rest = node.entries.filter(({ key }) => isRestKey(key)).map(({ key, value }) => [key, toJson(value)] as const)
  return {
    contract: {
      tool,
      sideEffect: sideEffect ?? "write",
      evidenceClass: evidenceClass ?? "ack_only",
      resources: resources.map((each) => each.value),
      estimate: estimate ?? null,
      timeoutMs: timeoutMs ?? null,
      rest: Object.fromEntries(rest),
    },
    facts,
    put: (places, path) => {
      places.put(path, node)
      places.put([...path, "tool"], fields.value("tool"))
      places.put([...path, "estimate"], fields.value("cost"))
      resources.forEach((each, index) => places.put([...path, "resources", index], each.node))
    },
  }
}

/** The `rest` of a compiled contract, checked as it was in its file. */
export const readToolRest = (node: Node, report: Report): ToolFacts | undefined => {
  const fields = Fields.open(node, "a tool contract's rest", restKeys, report)
  return fields === undefined ? undefined : readRest(fields)
}

const isRestKey = (key: string): boolean => restKeys.some((each) => each === key)

const readTimeout = (node: Node, report: Report): number | undefined => {
  const ms = readPositive(node, report)
  if (ms === undefined || ms <= bounds.durationMs) return ms
  report("out_of_range", node.at, `total_ms may be at most ${bounds.durationMs}`)
  return undefined
}

const readBinding = (
  node: Node,
  report: Report,
): { readonly value: ResourceBinding; readonly node: Node } | undefined => {
  const fields = Fields.open(node, "a resource binding", ["name", "key"], report)
  const name = fields?.require("name", readText, "a resource binding")
  const key = fields?.require("key", readBindingKey, "a resource binding")
  // A key that was reported still binds the resource, or the resource would be reported as bound by nothing.
  return name === undefined ? undefined : { value: { name, key: key ?? { constant: "" } }, node }
}

/** A path (it starts with `$`) or a constant. */
const readBindingKey = (node: Node, report: Report): ResourceBinding["key"] | undefined => {
  const text = readText(node, report)
  if (text === undefined) return undefined
  if (text.startsWith("$")) {
    const path = readPath(node, report)
    return path === undefined ? undefined : { path }
  }
  if (isName(text)) return { constant: text }
  const dotted = parseArgumentPath(`$${text}`) === undefined ? undefined : `did you mean \`$${text}\`?`
  report(
    "invalid_path",
    node.at,
    `${quoted(text)} is neither a path such as \`$.environment\` nor a constant key`,
    () => dotted,
  )
  return undefined
}

const readRest = (fields: Fields<RestKey>): ToolFacts => {
  fields.get("commit_requirement", readChoice(["acknowledged", "none"]))
  const { validIn, advancesTo } = fields.get("transitions", readTransitions) ?? {}
  const prior = fields.get("preconditions", readList("preconditions", bounds.listItems, readPrecondition)) ?? []
  const forbidden = fields.get("forbids_after", readList("forbids_after", bounds.listItems, located(readText))) ?? []
  fields.get(
    "argument_value_invariants",
    readList("argument_value_invariants", bounds.listItems, readTest("an invariant", invariantOperators)),
  )
  fields.get("gate", readChoice(["allow", "block"]))
  fields.get("checkpoint", readCheckpoint)
  return {
    phases: [...(validIn ?? []), ...(advancesTo === undefined ? [] : [advancesTo])],
    advancesTo,
    validInPhases: validIn?.map((phase) => phase.value),
    tools: [...prior, ...forbidden],
  }
}

interface ToolTransitions {
  readonly validIn: ReadonlyArray<Located<string>> | undefined
  readonly advancesTo: Located<string> | undefined
}

const readTransitions = (node: Node, report: Report): ToolTransitions | undefined => {
  const fields = Fields.open(node, "transitions", ["valid_in_phases", "advances_to"], report)
  if (fields === undefined) return undefined
  const validIn = fields.get("valid_in_phases", readList("valid_in_phases", bounds.listItems, located(readText)))
  if (validIn?.length === 0)
    report(
      "blocking_limit",
      fields.at("valid_in_phases"),
      "valid_in_phases is empty: no call of this tool is ever allowed",
    )
  return { validIn, advancesTo: fields.get("advances_to", located(readText)) }
}

const readPrecondition = (node: Node, report: Report): Located<string> | undefined => {
  const fields = Fields.open(node, "a precondition", ["requires_prior_tool", "with_output"], report)
  fields?.get(
    "with_output",
    readList("with_output", bounds.listItems, readTest("a test of an output", outputOperators)),
  )
  return fields?.require("requires_prior_tool", located(readText), "a precondition")
}

const outputOperators = ["equals", "exists", "gte", "lte"] as const
const invariantOperators = [
  "equals",
  "one_of",
  "regex",
  "gte",
  "lte",
  "exists",
  "type",
  "contains",
  "length_gte",
  "length_lte",
] as const
type Operator = (typeof invariantOperators)[number]

/** A test of one value: a path and at least one operator. */
const readTest =
  (what: string, operators: ReadonlyArray<Operator>) =>
  (node: Node, report: Report): true | undefined => {
    const fields = Fields.open<Operator | "path">(node, what, ["path", ...operators], report)
    if (fields === undefined) return undefined
    fields.require("path", readPath, what)
    const used = operators.filter((operator) => fields.has(operator))
    for (const operator of used) fields.get(operator, (value) => readOperand(operator, value, report))
    // A misspelled operator has its own message.
    const hasOthers = fields.node.entries.some(({ key }) => key !== "path")
    if (used.length === 0 && !hasOthers)
      report("missing_key", node.at, `${what} needs one of ${operators.map((each) => `\`${each}\``).join(", ")}`)
    const exists = fields.value("exists")
    if (exists?.kind === "scalar" && exists.value === false && used.length > 1)
      report("unsatisfiable_limit", exists.at, "a value that is left out passes no other operator")
    checkInterval(fields, "gte", "lte", report)
    checkInterval(fields, "length_gte", "length_lte", report)
    return true
  }

const readOperand = (operator: Operator, node: Node, report: Report): unknown => {
  switch (operator) {
    case "equals":
    case "contains":
      return toJson(node)
    case "one_of":
      if (node.kind === "list" && node.items.length > 0) return toJson(node)
      report("wrong_type", node.at, `one_of must be a list of at least one value, but this is ${describe(node)}`)
      return undefined
    case "regex":
      return readRegex(node, report)
    case "gte":
    case "lte":
      return readFinite(node, report)
    case "exists":
      return readBoolean(node, report)
    case "type":
      return readChoice(["string", "number", "integer", "boolean", "object", "array", "null"])(node, report)
    case "length_gte":
    case "length_lte":
      return readCount(node, report)
  }
}

const readRegex = (node: Node, report: Report): string | undefined => {
  const text = readText(node, report)
  if (text === undefined) return undefined
  if (text.length > bounds.regexChars) {
    report("invalid_regex", node.at, `a regular expression may have at most ${bounds.regexChars} characters`)
    return undefined
  }
  try {
    new RegExp(text)
    return text
  } catch (error) {
    report("invalid_regex", node.at, error instanceof Error ? error.message : "this is not a regular expression")
    return undefined
  }
}

const checkInterval = (fields: Fields<Operator | "path">, least: Operator, most: Operator, report: Report): void => {
  const from = fields.value(least)
  const to = fields.value(most)
  if (from?.kind !== "scalar" || to?.kind !== "scalar") return
  if (typeof from.value === "number" && typeof to.value === "number" && from.value > to.value) {
    report("unsatisfiable_limit", to.at, `no value is at least ${from.value} and at most ${to.value}`)
  }
}
