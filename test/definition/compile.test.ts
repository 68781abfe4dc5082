import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { canonicalJson, compile, sessionContractPaths, sha256Hex } from "../../src/definition/index.ts"
import { Definition } from "../../src/machines/definition.ts"
import { codes, deployYaml, diagnosticsOf, files, placed, replaced, sessionYaml, workflowYaml } from "./fixtures.ts"

const compiled = (text: string, given: Readonly<Record<string, string>> = files) => {
  const result = compile({ file: "workflow.yaml", text, files: given })
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics, null, 1))
  return result
}

describe("a definition that is right", () => {
  const { artifact, warnings } = compiled(workflowYaml)
  const { definition } = artifact

  it("compiles without a warning, to the definition's schema and its own hash", () => {
    expect(warnings).toEqual([])
    expect(Schema.is(Definition)(definition)).toBe(true)
    expect(artifact.hash).toBe(sha256Hex(canonicalJson(definition)))
    expect(artifact.hash).toMatch(/^[0-9a-f]{64}$/)
  })
  it("has money in micro-units and durations in milliseconds", () => {
    expect(definition.limits).toEqual({
      maxSessions: 10,
      maxActiveSessions: 4,
      maxSteps: 500,
      maxCost: 25_000_000,
      maxTokens: 1_000_000,
      maxOpenHandoffs: 8,
      maxDepth: 3,
      maxDurationMs: 86_400_000,
    })
    expect(definition.roles[1]?.limits).toMatchObject({
      maxActiveSessions: 2,
      maxCost: 3_000_000,
      maxSessions: null,
      maxDurationMs: null,
    })
    expect(definition.roles[1]?.defaultCost).toBe(10_000)
    expect(definition.handoffs[0]).toMatchObject({ claimTimeoutMs: 120_000, offerTimeoutMs: 5_400_000, maxAttempts: 3 })
    expect(definition.resources[1]).toEqual({
      name: "migration",
      mode: "serial_only",
      unresolved: "release",
      pendingTimeoutMs: 900_000,
    })
    expect(definition.preflightTimeoutMs).toBe(30_000)
  })
  it("has each tool's bindings, cost and time, and keeps the other keys as they are written", () => {
    const [deploy, test] = definition.roles[1]?.tools ?? []
    expect(deploy).toMatchObject({
      tool: "deploy",
      sideEffect: "destructive",
      evidenceClass: "local_transaction",
      estimate: 500_000,
      timeoutMs: 60_000,
      resources: [
        { name: "environment", key: { path: ["target", "environment"] } },
        { name: "migration", key: { constant: "main" } },
      ],
    })
    expect(Object.keys(deploy?.rest ?? {}).sort()).toEqual([
      "argument_value_invariants",
      "checkpoint",
      "commit_requirement",
      "forbids_after",
      "gate",
      "preconditions",
      "transitions",
    ])
    expect(deploy?.rest.transitions).toEqual({ valid_in_phases: ["act"], advances_to: "done" })
    expect(test).toEqual({
      tool: "test",
      sideEffect: "read",
      evidenceClass: "ack_only",
      resources: [],
      estimate: null,
      timeoutMs: null,
      rest: {},
    })
    expect(definition.roles[1]?.session).toMatchObject({ agent: "scanner", transitions: { plan: ["act"] } })
    expect(definition.roles[0]?.tools).toEqual([])
  })
})

describe("defaults", () => {
  const { definition } = compiled(
    'schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }, { name: b }]\nhandoffs: [{ from: a, to: b }]\nresources: [{ name: r, mode: single_writer }]\n',
    {},
  ).artifact

  it("are filled in", () => {
    expect(definition.roles.map((role) => role.root)).toEqual([true, false])
    expect(definition.handoffs[0]).toEqual({
      from: "a",
      to: "b",
      claimTimeoutMs: null,
      offerTimeoutMs: null,
      maxAttempts: null,
      completion: "requires_progress",
      summarySchema: null,
    })
    expect(definition.resources[0]).toEqual({
      name: "r",
      mode: "single_writer",
      unresolved: "hold",
      pendingTimeoutMs: null,
    })
    expect(definition.preflightTimeoutMs).toBe(600_000)
    expect(Object.values(definition.limits)).toEqual(Array(8).fill(null))
    expect(definition.roles[0]).toMatchObject({ session: null, defaultCost: null, tools: [] })
  })
  it("make the first role the root only when none says root", () => {
    const roots = (roles: string) => {
      const result = compile({
        file: "w",
        text: `schema_version: "1.0"\nworkflow: w\nroles: ${roles}\nhandoffs: [{ from: a, to: b }, { from: b, to: a }]\nlimits: { max_depth: 2 }\n`,
      })
      return result.ok ? result.artifact.definition.roles.map((role) => role.root) : codes(result.diagnostics)
    }
    expect(roots("[{ name: a }, { name: b, root: true }]")).toEqual([false, true])
    expect(roots("[{ name: a, root: true }, { name: b, root: true }]")).toEqual([true, true])
    expect(roots("[{ name: a, root: false }, { name: b }]")).toEqual(["no_root"])
  })
})

describe("durations and amounts", () => {
  const duration = (text: string) => {
    const result = compile({
      file: "w",
      text: `schema_version: "1.0"\nworkflow: w\nroles: [{ name: a }]\npreflight_timeout: ${text}\n`,
    })
    return result.ok
      ? result.artifact.definition.preflightTimeoutMs
      : result.diagnostics.map((each) => each.suggestion ?? each.code).join()
  }
  it.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["1h30m", 5_400_000],
    ["1d2h3m4s5ms", 93_784_005],
    ["3650d", 315_360_000_000],
  ])("%s is %d ms", (text, ms) => expect(duration(text)).toBe(ms))
  it.each([
    ["120", "did you mean `120s`?"],
    ["2M", "did you mean `2m`?"],
    ["1 h", "did you mean `1h`?"],
    ["3 hours", "did you mean `3h`?"],
    ["30m1h", "write it as `500ms`, `30s`, `2m`, `24h`, `7d` or `1h30m`"],
    ["1.5h", "write it as `500ms`, `30s`, `2m`, `24h`, `7d` or `1h30m`"],
    ["0s", "invalid_duration"],
    ["3651d", "invalid_duration"],
    ["-5", "invalid_duration"],
    ["true", "invalid_duration"],
  ])("%s is refused: %s", (text, answer) => expect(duration(text)).toBe(answer))

  const cost = (text: string) => {
    const result = compile({
      file: "w",
      text: `schema_version: "1.0"\nworkflow: w\nroles: [{ name: a, default_cost: ${text} }]\n`,
    })
    return result.ok ? result.artifact.definition.roles[0]?.defaultCost : codes(result.diagnostics).join()
  }
  it.each([
    ["0", 0],
    ["-0", 0],
    ["0.1", 100_000],
    ["0.0000001", 1],
    ["1000000000", 1e15],
  ])("%s costs %d micro-units", (text, micros) => expect(cost(text)).toBe(micros))
  it.each([
    ["-0.01", "out_of_range"],
    ["1000000000.1", "out_of_range"],
    ['"3"', "wrong_type"],
    [".inf", "wrong_type"],
  ])("%s is refused: %s", (text, code) => expect(cost(text)).toBe(code))
})

describe("ten different mistakes", () => {
  const broken = [
    'schema_version: "1.0"',
    "workflow: pr review",
    "roles:",
    "  - name: lead",
    "    root: yes",
    "  - name: worker",
    "    limits: { max_stepz: 5, max_cost: -1 }",
    "  - name: worker",
    "handoffs:",
    "  - from: lead",
    "    to: wroker",
    "    claim_timeout: 90",
    "    completion: requires_progres",
    "resources:",
    "  - { name: db, mode: serial_only, unresolved: release }",
    "limits: { max_sessions: 0 }",
    "",
  ].join("\n")

  it("yield exactly ten diagnostics, each at its place, with the line and the fix", () => {
    const diagnostics = diagnosticsOf(broken, {})
    expect(placed(diagnostics)).toEqual([
      "2:11 invalid_name",
      "5:11 wrong_type",
      "7:15 unknown_key",
      "7:39 out_of_range",
      "8:11 duplicate_name",
      "11:9 unknown_role",
      "12:20 invalid_duration",
      "13:17 unknown_value",
      "15:48 pending_timeout_required",
      "16:25 unsatisfiable_limit",
    ])
    const lines = broken.split("\n")
    for (const each of diagnostics) expect(each.excerpt).toBe(lines[each.line - 1])
    expect(diagnostics.map((each) => each.suggestion)).toEqual([
      "for example `pr-review`",
      "write `true`",
      "did you mean `max_steps`?",
      undefined,
      undefined,
      "did you mean `worker`?",
      "did you mean `90s`?",
      "did you mean `requires_progress`?",
      "add for example `pending_timeout: 15m`",
      undefined,
    ])
  })
  it("have the same places with CRLF line ends and behind a byte order mark", () => {
    const diagnostics = diagnosticsOf(`\ufeff${broken.replaceAll("\n", "\r\n")}`, {})
    expect(placed(diagnostics)).toEqual(placed(diagnosticsOf(broken, {})))
    expect(diagnostics[0]?.excerpt).toBe("workflow: pr review")
  })
})

describe("contracts", () => {
  it("that are named but not sent are a warning, not an error", () => {
    const result = compile({ file: "gov/workflow.yaml", text: workflowYaml })
    expect(result.ok && placed(result.warnings)).toEqual(["6:23 missing_contract", "8:23 missing_contract"])
  })
  it("that were sent and do not compile stop the compiler, and name their own file", () => {
    const given = {
      ...files,
      "scanner/deploy.yaml": replaced(deployYaml, "side_effect: destructive", "side_effect: destuctive"),
    }
    const result = compile({ file: "gov/workflow.yaml", text: workflowYaml, files: given })
    expect(result.ok).toBe(false)
    expect(!result.ok && result.diagnostics).toMatchObject([
      {
        file: "gov/scanner/deploy.yaml",
        line: 2,
        column: 14,
        code: "unknown_value",
        suggestion: "did you mean `destructive`?",
      },
    ])
  })
  it("are found by normalised paths, in a Map as in a record, in any order", () => {
    const given = new Map(
      Object.entries(files)
        .toReversed()
        .map(([path, text]) => [`./x/../${path.replace("/", "\\")}`, text]),
    )
    const result = compile({ file: "workflow.yaml", text: workflowYaml, files: given })
    expect(result.ok && result.artifact.hash).toBe(compiled(workflowYaml).artifact.hash)
  })
  it("report the mistakes of every file at once, workflow.yaml first", () => {
    const given = {
      ...files,
      "scanner/session.yaml": `${sessionYaml}agnet: x\n`,
      "scanner/deploy.yaml": `${deployYaml}gates: allow\n`,
    }
    const diagnostics = diagnosticsOf(`${workflowYaml}limts: {}\n`, given)
    expect(diagnostics.map(({ file, suggestion }) => [file, suggestion])).toEqual([
      ["workflow.yaml", "did you mean `limits`?"],
      ["scanner/deploy.yaml", "did you mean `gate`?"],
      ["scanner/session.yaml", "did you mean `agent`?"],
    ])
  })
  it("of two roles in one directory are read by both, and a mistake is told once", () => {
    const text =
      'schema_version: "1.0"\nworkflow: w\nroles: [{ name: a, root: true, session_contract: c/session.yaml }, { name: b, root: true, session_contract: c/session.yaml }]\n'
    const session = 'schema_version: "1.0"\nagent: x\n'
    const result = compile({
      file: "w",
      text,
      files: { "c/session.yaml": session, "c/t.yaml": "tool: t\nside_effect: read\n" },
    })
    expect(result.ok && result.artifact.definition.roles.map((role) => role.tools.length)).toEqual([1, 1])
    expect(
      codes(diagnosticsOf(text, { "c/session.yaml": session, "c/t.yaml": "tool: t\nside_effect: raed\n" }, "w")),
    ).toEqual(["unknown_value"])
  })
  it("are listed for whoever loads the files", () => {
    expect(sessionContractPaths(workflowYaml)).toEqual(["orchestrator/session.yaml", "scanner/session.yaml"])
    expect(sessionContractPaths("roles: [")).toEqual([])
  })
})
