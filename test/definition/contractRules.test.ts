/** What the compiler lets through, the contract rules can enforce; what can never be allowed is told where it is written. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { compile, formatDiagnostics } from "../../src/definition/index.ts"
import { compileContracts } from "../../src/machines/contracts/index.ts"
import { contracts } from "../machines/contracts/arbitraries.ts"
import { parameters } from "../properties/parameters.ts"
import { deployYaml, diagnosticsOf, files, sessionYaml, workflowYaml } from "./fixtures.ts"

/** Compiles one role with these files, which are JSON and so YAML as well. */
const compiled = (session: unknown, tools: ReadonlyArray<{ readonly tool: string }>) =>
  compile({
    file: "workflow.yaml",
    text: 'schema_version: "1.0"\nworkflow: w\nroles: [{ name: agent, session_contract: ./session.yaml }]\n',
    files: new Map([
      ["session.yaml", JSON.stringify(session)],
      ...tools.map((tool): [string, string] => [`${tool.tool}.yaml`, JSON.stringify(tool)]),
    ]),
  })

describe("contracts that compile", { timeout: 60_000 }, () => {
  it("are rules that the engine knows, every key of them", () => {
    fc.assert(
      fc.property(contracts, ({ session, tools }) => {
        const result = compiled(
          { schema_version: "1.0", agent: "agent", ...session },
          tools.map(({ estimate, ...tool }) =>
            estimate === null ? tool : { ...tool, cost: { estimate: estimate / 1e6 } },
          ),
        )
        if (!result.ok) {
          // Random tests may contradict themselves, and nothing else may be wrong with them.
          expect(formatDiagnostics(result.diagnostics)).toMatch(/unsatisfiable_limit/)
          return
        }
        const role = result.artifact.definition.roles[0]!
        const rules = compileContracts(role.session, role.tools, role.defaultCost)
        expect(rules.tool("send")?.contract).toEqual(role.tools.find(({ tool }) => tool === "send"))
        expect(rules.phases?.initial).toBe(session.phases?.[0]?.name)
        expect(rules.limits.maxSteps).toBe(session.session_limits?.max_steps ?? null)
      }),
      parameters(150),
    )
  })

  it("are those of the examples, too", () => {
    const result = compile({ file: "workflow.yaml", text: workflowYaml, files })
    const roles = result.ok ? result.artifact.definition.roles : []
    expect(
      roles.map(({ session, tools, defaultCost }) => compileContracts(session, tools, defaultCost).isStateless),
    ).toEqual([true, false])
  })

  it.each(["equals: .nan", "equals: .inf", "contains: [.inf]", "one_of: [-.inf]", "gte: .inf", "lte: .nan"])(
    "hold no %s, which JSON has not",
    (operator) => {
      const text = `tool: send\nside_effect: write\nargument_value_invariants:\n  - { path: $.to, ${operator} }\n`
      const result = compile({
        file: "workflow.yaml",
        text: 'schema_version: "1.0"\nworkflow: w\nroles: [{ name: agent, session_contract: ./session.yaml }]\n',
        files: { "session.yaml": 'schema_version: "1.0"\nagent: agent\n', "send.yaml": text },
      })
      expect(result.ok).toBe(false)
    },
  )
})

describe("a rule that can never be met", () => {
  const told = (path: string, yaml: string, piece: string, by: string) => {
    expect(yaml.split(piece)).toHaveLength(2)
    return diagnosticsOf(workflowYaml, { ...files, [path]: yaml.replace(piece, by) }).map(
      ({ code, line, column }) => `${line}:${column} ${code}`,
    )
  }
  const inTool = (piece: string, by: string) => told("scanner/deploy.yaml", deployYaml, piece, by)
  const inSession = (piece: string, by: string) => told("scanner/session.yaml", sessionYaml, piece, by)

  it("is told at its place", () => {
    expect(inTool("valid_in_phases: [act]", "valid_in_phases: []")).toEqual(["9:33 blocking_limit"])
    expect(inTool("valid_in_phases: [act]", "valid_in_phases: [plan]")).toEqual(["9:54 blocking_limit"])
    expect(inTool("exists: true, type: string", "exists: false, type: string")).toEqual(["17:30 unsatisfiable_limit"])
    expect(inSession("window: 10, threshold: 3", "window: 10, threshold: 1")).toEqual(["15:44 blocking_limit"])
    expect(inSession("window: 10, threshold: 3", "window: 1001, threshold: 3")).toEqual(["15:29 out_of_range"])
  })

  it("is not one that leads on from one of its phases, or stays", () => {
    expect(inTool("valid_in_phases: [act]", "valid_in_phases: [plan, act]")).toEqual([])
    expect(inTool("valid_in_phases: [act]", "valid_in_phases: [done]")).toEqual([])
    expect(inTool("valid_in_phases: [act], ", "")).toEqual([])
    expect(inTool("exists: true, type: string, contains: x", "exists: false")).toEqual([])
  })
})
