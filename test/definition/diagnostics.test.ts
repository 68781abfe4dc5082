import { describe, expect, it } from "vitest"
import { bounds } from "../../src/definition/bounds.ts"
import {
  compile,
  type Diagnostic,
  type DiagnosticCode,
  formatDiagnostics,
  fromArtifact,
  severities,
} from "../../src/definition/index.ts"
import {
  codes,
  deployYaml,
  diagnosticsOf,
  files,
  placed,
  replaced,
  sessionYaml,
  testYaml,
  workflowYaml,
} from "./fixtures.ts"

const inWorkflow = (piece: string, by: string) => diagnosticsOf(replaced(workflowYaml, piece, by))
const inSession = (piece: string, by: string) =>
  diagnosticsOf(workflowYaml, { ...files, "scanner/session.yaml": replaced(sessionYaml, piece, by) })
const inTool = (piece: string, by: string) =>
  diagnosticsOf(workflowYaml, { ...files, "scanner/deploy.yaml": replaced(deployYaml, piece, by) })
const withFile = (path: string, text: string) => diagnosticsOf(workflowYaml, { ...files, [path]: text })
const artifactDiagnostics = (value: unknown) => {
  const result = fromArtifact(value)
  return result.ok ? result.warnings : result.diagnostics
}
const artifact = () => {
  const result = compile({ file: "workflow.yaml", text: workflowYaml, files })
  if (!result.ok) throw new Error("the fixture does not compile")
  return result.artifact
}
const manyMistakes = () =>
  diagnosticsOf(
    `${workflowYaml}${Array.from({ length: bounds.diagnostics + 5 }, (_, n) => `unknown_${n}: 1\n`).join("")}`,
  )

/** For each code: what triggers it and nothing else, and where. */
const triggers: Record<DiagnosticCode, () => readonly [ReadonlyArray<Diagnostic>, string]> = {
  file_too_large: () => [diagnosticsOf(`${workflowYaml}#${"x".repeat(bounds.fileBytes)}`), "1:1"],
  too_many_files: () => {
    const extra = Object.fromEntries(Array.from({ length: bounds.files }, (_, n) => [`scanner/${n}.txt`, ""]))
    return [diagnosticsOf(workflowYaml, { ...files, ...extra }), "1:1"]
  },
  duplicate_file: () => [withFile("./scanner/session.yaml", sessionYaml), "1:1"],
  yaml_syntax: () => [inWorkflow("workflow: pr-review", 'workflow: "pr-review'), "32:1"],
  duplicate_key: () => [diagnosticsOf(`${workflowYaml}workflow: other\n`), "32:1"],
  multiple_documents: () => [diagnosticsOf(`${workflowYaml}---\nworkflow: other\n`), "32:1"],
  unknown_alias: () => [inWorkflow("max_steps: 500", "max_steps: *steps"), "25:14"],
  too_many_aliases: () => [
    diagnosticsOf(
      `${workflowYaml}x: &x 1\ny: [${Array(bounds.aliases + 1)
        .fill("*x")
        .join(", ")}]\n`,
    ),
    "33:405",
  ],
  too_deep: () => [inWorkflow("type: object", `default: ${"[".repeat(65)}${"]".repeat(65)}`), "18:95"],
  root_not_map: () => [diagnosticsOf("- a\n", {}), "1:1"],
  unknown_key: () => [inWorkflow("preflight_timeout", "preflight_timout"), "31:1"],
  missing_key: () => [inWorkflow("workflow: pr-review\n", ""), "1:1"],
  wrong_type: () => [inWorkflow("max_steps: 500", 'max_steps: "500"'), "25:14"],
  unknown_value: () => [inWorkflow("serial_only", "serial"), "21:30"],
  invalid_name: () => [inWorkflow("workflow: pr-review", "workflow: -pr"), "2:11"],
  invalid_duration: () => [inWorkflow("30s", "30"), "31:20"],
  invalid_path: () => [inTool("key: $.target.environment", "key: $target"), "6:31"],
  invalid_regex: () => [inTool("'^v\\d+$'", "'^(v'"), "16:31"],
  invalid_schema: () => [inWorkflow("type: object", "type: objekt"), "18:29"],
  out_of_range: () => [inWorkflow("max_cost: 25.00", "max_cost: -25"), "26:13"],
  unsupported_version: () => [inWorkflow('"1.0"', "1.0"), "1:17"],
  duplicate_name: () => [withFile("scanner/again.yaml", testYaml), "1:7"],
  duplicate_edge: () => [inWorkflow("resources:\n", "  - { from: orchestrator, to: scanner }\nresources:\n"), "19:5"],
  unknown_role: () => [inWorkflow("to: scanner", "to: scaner"), "13:9"],
  unknown_resource: () => [inTool("name: environment", "name: enviroment"), "6:13"],
  unknown_phase: () => [inTool("advances_to: done", "advances_to: finished"), "9:53"],
  unknown_tool: () => [inTool("forbids_after: [test]", "forbids_after: [tset]"), "13:17"],
  no_root: () => [inWorkflow("root: true", "root: false"), "4:3"],
  unsatisfiable_limit: () => [inWorkflow("max_depth: 3", "max_depth: 0"), "29:14"],
  role_max_duration: () => [inWorkflow("max_active_sessions: 2", "max_duration: 2h"), "9:29"],
  pending_timeout_required: () => [inWorkflow(", pending_timeout: 15m", ""), "21:55"],
  initial_phase: () => [inSession("{ name: act }", "{ name: act, initial: true }"), "5:5"],
  terminal_phase: () => [inSession(", terminal: true", ""), "4:3"],
  unreachable_phase: () => [inSession("act: [act, done]", "act: [act]"), "6:5"],
  artifact_invalid: () => [
    artifactDiagnostics({ ...artifact(), definition: { ...artifact().definition, workflow: "" } }),
    "1:1",
  ],
  artifact_hash: () => [artifactDiagnostics({ ...artifact(), hash: "0".repeat(64) }), "1:1"],
  unreachable_role: () => [inWorkflow("handoffs:", "  - name: idle\nhandoffs:"), "11:11"],
  unbound_resource: () => [inTool("  - { name: migration, key: main }\n", ""), "21:13"],
  unbounded_cycle: () => [
    diagnosticsOf(
      'schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }, { name: b }]\nhandoffs:\n  - { from: a, to: b }\n  - { from: b, to: a }\n',
      {},
    ),
    "5:5",
  ],
  limit_without_effect: () => [inWorkflow("max_active_sessions: 2", "max_active_sessions: 5"), "9:36"],
  blocking_limit: () => [inSession("max_steps: 50", "max_steps: 0"), "11:14"],
  pending_timeout_unused: () => [inWorkflow("unresolved: hold", "pending_timeout: 1m"), "20:68"],
  unknown_price: () => [inWorkflow("    default_cost: 0.01\n", ""), "1:7"],
  uncontracted_tool: () => [inSession("{ deploy: 2 }", "{ deplyo: 2 }"), "14:25"],
  missing_contract: () => [inWorkflow("./scanner/session.yaml", "./scanner/sesion.yaml"), "8:23"],
  ignored_file: () => [withFile("elsewhere/tool.yaml", testYaml), "1:1"],
  too_many_diagnostics: () => [manyMistakes().slice(-1), `${32 + bounds.diagnostics}:1`],
}

describe("every code", () => {
  it.each(Object.keys(triggers) as ReadonlyArray<DiagnosticCode>)("%s is told at its place, by itself", (code) => {
    const [diagnostics, place] = triggers[code]()
    // An aside of the same mistake is allowed where one file can't do without it.
    const main = diagnostics.filter((each) => each.code === code)
    expect(placed(main)).toEqual([`${place} ${code}`])
    expect(codes(diagnostics).filter((each) => each !== code && each !== companions[code])).toEqual([])
    expect(main[0]?.severity).toBe(severities[code])
  })
})

describe("suggestions", () => {
  const fixOf = (diagnostics: ReadonlyArray<Diagnostic>) => diagnostics.map((each) => each.suggestion)
  it("name what is near and nothing that is not", () => {
    expect(fixOf(inWorkflow("to: scanner", "to: Scaner"))).toEqual(["did you mean `scanner`?"])
    expect(fixOf(inWorkflow("to: scanner", "to: sacnner"))).toEqual(["did you mean `scanner`?"])
    expect(fixOf(inWorkflow("to: scanner", "to: reviewer"))).toEqual([undefined])
    expect(fixOf(inWorkflow("claim_timeout", "claim-timeout"))).toEqual(["did you mean `claim_timeout`?"])
  })
  it("list the known keys where none is near", () => {
    expect(fixOf(inTool("gate: allow", "colour: red"))[0]).toContain("known keys: tool, side_effect")
  })
  it("say how to write a value of the wrong type", () => {
    expect(fixOf(inWorkflow("max_steps: 500", 'max_steps: "500"'))).toEqual(["write it without quotes: 500"])
    expect(fixOf(inWorkflow("workflow: pr-review", "workflow: 42"))).toEqual(['put it in quotes: `"42"`'])
    expect(fixOf(inTool("$.target.environment, one_of", ".target, one_of"))).toEqual(["did you mean `$.target`?"])
  })
})

describe("limits that no run can satisfy", () => {
  it.each([
    ["max_sessions: 10", "max_sessions: 0", ["unsatisfiable_limit"]],
    ["max_sessions: 10", "max_sessions: 1", ["unsatisfiable_limit"]],
    ["max_sessions: 10", "max_sessions: 2", []],
    ["max_active_sessions: 4", "max_active_sessions: 1", ["limit_without_effect", "unsatisfiable_limit"]],
    ["max_open_handoffs: 8", "max_open_handoffs: 0", ["unsatisfiable_limit"]],
    ["max_depth: 3", "max_depth: 1", []],
    ["max_steps: 500", "max_steps: 0", ["unsatisfiable_limit"]],
    ["max_active_sessions: 2,", "max_active_sessions: 0,", ["unsatisfiable_limit"]],
    ["max_active_sessions: 2,", "max_sessions: 0,", ["unsatisfiable_limit"]],
    ["max_active_sessions: 2,", "max_open_handoffs: 0,", ["unsatisfiable_limit"]],
    ["max_active_sessions: 2,", "max_depth: 0,", ["unsatisfiable_limit"]],
    ["max_active_sessions: 2,", "max_depth: 1,", []],
    ["max_active_sessions: 2,", "max_steps: 0,", ["unsatisfiable_limit"]],
    ["default_cost: 0.01", "default_cost: 3.01", ["unsatisfiable_limit"]],
    ["default_cost: 0.01", "default_cost: 3", []],
    ["max_cost: 25.00", "max_cost: 0.4", ["limit_without_effect", "unsatisfiable_limit"]],
    ["max_cost: 3.00", "max_cost: 0.4", ["unsatisfiable_limit"]],
    ["max_cost: 3.00", "max_cost: 25.01", ["limit_without_effect"]],
    ["max_cost: 3.00", "max_cost: 25", []],
  ])("%s as %s: %j", (piece, by, expected) => expect(codes(inWorkflow(piece, by))).toEqual(expected))

  it("leave a role that only delegates without steps alone, and warn of one that can do nothing", () => {
    const text = (completion: string, limits: string) =>
      `schema_version: "1.0"\nworkflow: w\nroles: [{ name: a, ${limits} }, { name: b }]\nhandoffs: [{ from: a, to: b, completion: ${completion} }]\n`
    expect(codes(diagnosticsOf(text("any", "limits: { max_steps: 0 }"), {}))).toEqual([])
    expect(codes(diagnosticsOf(`${text("any", "root: true")}limits: { max_steps: 0 }\n`, {}))).toEqual([
      "blocking_limit",
    ])
  })
  it("say that a role is further away than max_depth", () => {
    const text =
      'schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }, { name: b }, { name: c }]\nhandoffs: [{ from: a, to: b }, { from: b, to: c }]\nlimits: { max_depth: 1 }\n'
    expect(placed(diagnosticsOf(text, {}))).toEqual(["3:43 unreachable_role"])
  })
})

describe("a cycle of handoffs", () => {
  const cycle = (extra: string, roleExtra = "") =>
    codes(
      diagnosticsOf(
        `schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }, { name: b${roleExtra} }]\nhandoffs: [{ from: a, to: b }, { from: b, to: a }]\n${extra}`,
        {},
      ),
    )
  it("is a warning only where nothing bounds it", () => {
    expect(cycle("")).toEqual(["unbounded_cycle"])
    expect(cycle("limits: { max_depth: 4 }")).toEqual([])
    expect(cycle("limits: { max_sessions: 4 }")).toEqual([])
    expect(cycle("limits: { max_steps: 4 }")).toEqual(["unbounded_cycle"])
    expect(cycle("", ", limits: { max_sessions: 3 }")).toEqual([])
  })
  it("of one role with itself is one too", () => {
    expect(
      placed(
        diagnosticsOf('schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }]\nhandoffs: [{ from: a, to: a }]\n', {}),
      ),
    ).toEqual(["4:12 unbounded_cycle"])
  })
})

describe("contract rules", () => {
  it.each([
    [
      "transitions:\n  plan: [act]",
      "transitions:\n  plna: [act]",
      ["unreachable_phase", "unreachable_phase", "unknown_phase"],
    ],
    ["act: [act, done]", "act: [act, done, gone]", ["unknown_phase"]],
    ["{ name: plan, initial: true }", "{ name: plan }", ["initial_phase"]],
    ["- { name: act }", "- { name: act }\n  - { name: act }", ["duplicate_name"]],
    ["threshold: 3", "threshold: 11", ["limit_without_effect"]],
    ["window: 10, ", "", ["missing_key"]],
    ["consecutive_blocks: 3", "consecutive_blocks: 0", ["out_of_range"]],
    ["max_cost_per_session: 1.5", "max_cost_per_session: -1.5", ["out_of_range"]],
    ["financial: block", "financial: deny", ["unknown_value"]],
    ["financial: block", "money: block", ["unknown_key"]],
    ["{ deploy: 2 }", "{ deploy: 0.5 }", ["out_of_range"]],
    ["agent: scanner\n", "", ["missing_key"]],
    ['schema_version: "1.0"\n', "", ["missing_key"]],
  ])("session.yaml with %j as %j: %j", (piece, by, expected) => expect(codes(inSession(piece, by))).toEqual(expected))

  it.each([
    ["side_effect: destructive\n", "", ["missing_key"]],
    ["requires_prior_tool: test", "requires_prior_tool: tests", ["unknown_tool"]],
    ["valid_in_phases: [act]", "valid_in_phases: [atc]", ["unknown_phase"]],
    ["[{ path: $.passed, equals: true }", "[{ path: $.passed }", ["missing_key"]],
    ["path: $.passed, equals: true", "path: $.passed, one_of: [true]", ["unknown_key"]],
    ["gte: 0.5, lte: 1", "gte: 2, lte: 1", ["unsatisfiable_limit"]],
    ["length_gte: 2", "length_gte: 20", ["unsatisfiable_limit"]],
    ["one_of: [staging, prod]", "one_of: []", ["wrong_type"]],
    ["type: string", "type: text", ["unknown_value"]],
    ["exists: true, type", "exists: maybe, type", ["wrong_type"]],
    ["length_gte: 2", "length_gte: -2", ["out_of_range"]],
    ["total_ms: 60000", "total_ms: 0", ["out_of_range"]],
    ["total_ms: 60000", "total: 60000", ["missing_key", "unknown_key"]],
    ["{ estimate: 0.5 }", "{}", ["missing_key"]],
    ["{ estimate: 0.5 }", "{ estimate: 3.5 }", ["unsatisfiable_limit"]],
    ["gate: allow", "gate: open", ["unknown_value"]],
    ["checkpoint: true", "checkpoint: 'true'", ["wrong_type"]],
    ["checkpoint: true", "checkpoint: { timeout: 30 }", ["invalid_duration"]],
    ["checkpoint: true", "checkpoint: { timeout: 0s }", ["invalid_duration"]],
    ["checkpoint: true", "checkpoint: { time_out: 30m }", ["missing_key", "unknown_key"]],
    ["checkpoint: true", "checkpoint: {}", ["missing_key"]],
    ["checkpoint: true", "checkpoint: [30m]", ["wrong_type"]],
    ["commit_requirement: acknowledged", "commit_requirement: ack", ["unknown_value"]],
    ["key: main", "key: 42", ["wrong_type"]],
    ["key: main", "key: a b", ["invalid_path"]],
    ["key: main", "key: $", ["invalid_path"]],
    [
      "name: migration, key: main",
      "name: environment, key: $.target.environment",
      ["unbound_resource", "duplicate_name"],
    ],
  ])("a tool contract with %j as %j: %j", (piece, by, expected) => expect(codes(inTool(piece, by))).toEqual(expected))

  it("takes an index as a member of a path", () => {
    const result = compile({
      file: "w",
      text: workflowYaml,
      files: { ...files, "scanner/deploy.yaml": replaced(deployYaml, "$.target.environment }", '"$.a[0].b" }') },
    })
    expect(result.ok && result.artifact.definition.roles[1]?.tools[0]?.resources[0]?.key).toEqual({
      path: ["a", "0", "b"],
    })
  })
  it("that stands beside session.yaml and is no tool contract is not dropped in silence", () => {
    const [warning] = withFile("scanner/other.yaml", "tols: x\n")
    expect(warning).toMatchObject({ code: "ignored_file", file: "scanner/other.yaml", severity: "warning" })
    expect(codes(withFile("scanner/other.yaml", "tool: [x\n"))).toEqual(["yaml_syntax"])
  })
})

describe("an empty key", () => {
  it.each([
    ["handoffs:", "leave the key out, or write `[]`"],
    ["limits:", "leave the key out, or write `{}`"],
  ])("%s is told how to be left out", (key, fix) => {
    const [first] = diagnosticsOf(`schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }]\n${key}\n`, {})
    expect(first).toMatchObject({ code: "wrong_type", suggestion: fix })
  })
  it("summary_schema is not taken for no schema", () => {
    expect(
      codes(inWorkflow(" { type: object, required: [task], properties: { task: { type: string } } }", "")),
    ).toEqual(["invalid_schema"])
  })
})

describe("a summary schema", () => {
  it.each([
    ["$ref: 'https://example.com/s.json'"],
    ["$schema: 'http://json-schema.org/draft-07/schema#'"],
    ["$async: true"],
    ["pattern: '('"],
    ["minimum: x"],
    ["$defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a'"],
    [`allOf: [${Array(201).fill("{ $ref: '#/x' }").join(", ")}]`],
  ])("with %s is refused", (member) => expect(codes(inWorkflow("type: object", member))).toEqual(["invalid_schema"]))
  it("may have an $id that another edge's schema has too", () => {
    const text = replaced(workflowYaml, "type: object", "$id: s, type: object").replace(
      "resources:",
      "  - { from: scanner, to: orchestrator, summary_schema: { $id: s, type: string } }\nresources:",
    )
    expect(codes(diagnosticsOf(text))).toEqual([])
  })
})

describe("formatDiagnostics", () => {
  it("shows the place, the line, a caret and the fix", () => {
    expect(formatDiagnostics(inWorkflow("to: scanner", "to: scaner"))).toBe(
      "workflow.yaml:13:9 error unknown_role: no role is named `scaner`\n        to: scaner\n            ^\n  fix: did you mean `scanner`?\n1 error\n",
    )
  })
  it("counts errors and warnings, and is empty where there are none", () => {
    expect(formatDiagnostics(diagnosticsOf(replaced(workflowYaml, "to: scanner", "to: scaner"), {}))).toMatch(
      /\n1 error, 2 warnings\n$/,
    )
    expect(formatDiagnostics([])).toBe("")
  })
  it("lets no control character through to the terminal", () => {
    const shown = formatDiagnostics(inWorkflow("to: scanner", 'to: "x\u001b[2J\u202e"'))
    expect(shown).toContain("\ufffd")
    expect(shown).not.toContain("\u001b")
    expect(shown).not.toContain("\u202e")
  })
  it("keeps the caret beneath its character behind tabs", () => {
    const diagnostic: Diagnostic = {
      severity: "error",
      code: "unknown_key",
      file: "f",
      line: 1,
      column: 3,
      excerpt: "\tab",
      message: "m",
    }
    expect(formatDiagnostics([diagnostic])).toContain("\n    \tab\n    \t ^\n")
  })
})

/** A code that the trigger can't do without. */
const companions: Partial<Record<DiagnosticCode, DiagnosticCode>> = {
  artifact_invalid: "artifact_hash",
  missing_contract: "ignored_file",
}
