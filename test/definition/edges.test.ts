/** The edges of single rules: each test here is the one that notices when its guard is gone. */
import { describe, expect, it } from "vitest"
import { bounds } from "../../src/definition/bounds.ts"
import { type Diagnostic, formatDiagnostics } from "../../src/definition/index.ts"
import { codes, deployYaml, diagnosticsOf, files, replaced, sessionYaml, workflowYaml } from "./fixtures.ts"

const inWorkflow = (piece: string, by: string) => diagnosticsOf(replaced(workflowYaml, piece, by))
const inSession = (piece: string, by: string) =>
  diagnosticsOf(workflowYaml, { ...files, "scanner/session.yaml": replaced(sessionYaml, piece, by) })
const inTool = (piece: string, by: string) =>
  diagnosticsOf(workflowYaml, { ...files, "scanner/deploy.yaml": replaced(deployYaml, piece, by) })

describe("bounds", () => {
  it("let a file of exactly 1 MiB pass and one of a byte more not", () => {
    const room = bounds.fileBytes - workflowYaml.length - 1
    expect(codes(diagnosticsOf(`${workflowYaml}#${"x".repeat(room)}`))).toEqual([])
    expect(codes(diagnosticsOf(`${workflowYaml}#${"x".repeat(room + 1)}`))).toEqual(["file_too_large"])
    expect(codes(diagnosticsOf(`${workflowYaml}#${"é".repeat(room / 2 + 1)}`))).toEqual(["file_too_large"])
  })
  it("count what aliases stand for, not only how many there are", () => {
    const ten = (name: string) => `[${Array(10).fill(name).join(", ")}]`
    const bomb = `a: &a ${ten("1")}\nb: &b ${ten("*a")}\nc: &c ${ten("*b")}\nd: &d ${ten("*c")}\ne: &e ${ten("*d")}\n`
    expect(codes(diagnosticsOf(`${workflowYaml}${bomb}`))).toEqual(["too_many_aliases"])
  })
  it("hold for lists", () => {
    const roles = Array.from({ length: bounds.roles + 1 }, (_, n) => `  - { name: r${n}, root: true }\n`).join("")
    expect(codes(diagnosticsOf(`schema_version: "1.0"\nworkflow: w\nroles:\n${roles}`, {}))).toEqual(["out_of_range"])
  })
  it("hold for the text of all files together", () => {
    const large = Object.fromEntries(
      Array.from({ length: 9 }, (_, n) => [`scanner/${n}.txt`, "x".repeat(bounds.fileBytes)]),
    )
    expect(codes(diagnosticsOf(workflowYaml, { ...files, ...large }))).toEqual(["too_many_files"])
  })
})

describe("YAML that JSON can't hold", () => {
  it("is refused: an alias to the value that it stands in", () => {
    expect(diagnosticsOf(`${workflowYaml}x: &x [*x]\n`)).toMatchObject([
      { code: "unknown_alias", line: 32, column: 8, message: expect.stringContaining("stands in") },
    ])
  })
  it("is refused: a key that would change an object", () => {
    expect(codes(inWorkflow("properties: {", "properties: { __proto__: {},"))).toEqual(["wrong_type"])
  })
  it("is refused: an integer that would be read as another one", () => {
    expect(codes(inTool("equals: true", "equals: 9007199254740993"))).toEqual(["out_of_range"])
  })
  it("is refused: a tag that nothing resolves", () => {
    expect(codes(inWorkflow("workflow: pr-review", "workflow: !name pr-review"))).toEqual(["yaml_syntax"])
  })
  it("is not an alias that names a value before it", () => {
    expect(codes(inWorkflow("max_active_sessions: 4", "max_active_sessions: &n 4"))).toEqual([])
    const shared = replaced(
      replaced(workflowYaml, "claim_timeout: 2m", "claim_timeout: &t 2m"),
      "offer_timeout: 1h30m",
      "offer_timeout: *t",
    )
    expect(codes(diagnosticsOf(shared))).toEqual([])
  })
})

describe("one mistake is one diagnostic", () => {
  it.each([
    ["a release whose timeout is wrong", "pending_timeout: 15m", "pending_timeout: 15", ["invalid_duration"]],
    ["a handoff without its end", "    to: scanner\n", "", ["missing_key"]],
    ["a session contract that is no relative path", "./scanner/session.yaml", "/etc/session.yaml", ["invalid_path"]],
  ])("%s", (_, piece, by, expected) => {
    expect(codes(inWorkflow(piece, by)).filter((code) => code !== "ignored_file")).toEqual(expected)
  })
  it("a second initial phase that nothing leads to", () => {
    expect(codes(inSession("{ name: act }", "{ name: act }\n  - { name: other, initial: true }"))).toEqual([
      "initial_phase",
    ])
  })
})

describe("what is just allowed", () => {
  it("no open handoffs for a role that none is offered to", () => {
    const text = replaced(workflowYaml, "    root: true", "    root: true\n    limits: { max_open_handoffs: 0 }")
    expect(codes(diagnosticsOf(text))).toEqual([])
  })
  it("a loop threshold as large as its window, and an interval of one value", () => {
    expect(codes(inSession("threshold: 3", "threshold: 10"))).toEqual([])
    expect(codes(inTool("gte: 0.5, lte: 1", "gte: 1, lte: 1"))).toEqual([])
  })
  it("limits for tools, in a role of which no tool has a contract", () => {
    const given = { "orchestrator/session.yaml": sessionYaml, "scanner/session.yaml": sessionYaml }
    expect(codes(diagnosticsOf(workflowYaml, given))).toEqual([])
  })
})

describe("tool contracts without their session.yaml", () => {
  it("are still checked against each other, but not against its phases", () => {
    const { "scanner/session.yaml": _, ...given } = files
    const diagnostics = diagnosticsOf(workflowYaml, {
      ...given,
      "scanner/a.yaml": "tool: a\nside_effect: read\nforbids_after: [nothing]\n",
      "scanner/b.yaml": "tool: b\nside_effect: read\nforbids_after: [nothing]\n",
    })
    expect(codes(diagnostics)).toEqual(["missing_contract", "unknown_tool", "unknown_tool"])
  })
})

describe("suggestions", () => {
  const fixes = (name: string) => inWorkflow("to: scanner", `to: ${name}`).map((each) => each.suggestion)
  it("see through upper case, and do not guess for a short word", () => {
    expect(fixes("SCANNER")).toEqual(["did you mean `scanner`?"])
    const text = 'schema_version: "1.0"\nworkflow: w\nroles: [{ name: abc }]\nhandoffs: [{ from: abc, to: xyz }]\n'
    expect(diagnosticsOf(text, {}).map((each) => each.suggestion)).toEqual([undefined])
  })
})

describe("formatDiagnostics", () => {
  it("draws no caret for a place past the cut of a long line", () => {
    const place = { file: "f", line: 1, column: 300, excerpt: "x".repeat(bounds.excerptChars) }
    const diagnostic: Diagnostic = { severity: "error", code: "unknown_key", ...place, message: "m" }
    expect(formatDiagnostics([diagnostic])).not.toContain("^")
  })
})
