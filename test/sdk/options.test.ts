/** What `replay` refuses before anything is created, with the option to mend. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { type Client, ReplayConfigError, replay } from "../../src/index.ts"
import { errorOf, files, governance, lead, openRuntime, worker, workflowYaml } from "./fixtures.ts"

const refused = (call: () => unknown): ReplayConfigError => {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(ReplayConfigError)
    if (error instanceof ReplayConfigError) return error
  }
  throw new Error("it was not refused")
}

/** As a caller without types would. */
const untyped: (client: unknown, options: unknown) => unknown = replay as never

describe("options", () => {
  const root = { type: "root", workflowId: "w1", role: "lead" }
  const good = async (): Promise<Record<string, unknown>> => ({
    agent: "lead",
    contractsDir: join(governance(), "lead"),
    tools: {},
    workflow: root,
    runtime: await openRuntime(),
  })

  test("an unknown one is named, with the one that was meant", async () => {
    const options = { ...(await good()), sessionID: "s1" }
    expect(refused(() => untyped(null, options)).message).toBe(
      "There is no option sessionID: did you mean `sessionId`?",
    )
  })

  test.each<[string, unknown, string]>([
    ["agent", "no id", "agent"],
    ["agent", undefined, "agent"],
    ["contractsDir", undefined, "contractsDir"],
    ["contractsDir", "", "contractsDir"],
    ["tools", { look: 1 }, "tools"],
    ["tools", { "not a name": () => 1 }, "tools"],
    ["workflow", { type: "leaf" }, "workflow"],
    ["workflow", { ...root, workflowId: "" }, "workflow.workflowId"],
    ["workflow", { ...root, handoffId: "h1" }, "workflow.handoffId"],
    ["workflow", { ...root, type: "child", parentSessionId: "p" }, "workflow.handoffId"],
    ["workflow", { ...root, role: "cook" }, "workflow.role"],
    ["runtime", undefined, "runtime"],
    ["sessionId", "a b", "sessionId"],
    ["maxRetries", 6, "maxRetries"],
    ["maxRetries", 1.5, "maxRetries"],
    ["maxUnguardedCalls", 5, "maxUnguardedCalls"],
    ["contracts", { "session.yaml": "" }, "contracts"],
    ["mode", "loud", "mode"],
    ["gate", "open", "gate"],
    ["onError", "ignore", "onError"],
    ["unmatchedPolicy", true, "unmatchedPolicy"],
    ["narrowingFeedback", "shout", "narrowingFeedback"],
    ["ungovernedEndpoints", "hide", "ungovernedEndpoints"],
    ["principal", "", "principal"],
    ["environment", 7, "environment"],
    ["policy", "strict", "policy"],
    ["onDecision", {}, "onDecision"],
    ["recover", { look: "committed" }, "recover"],
    ["prices", { "gpt-5": { input: 1 } }, "prices"],
    ["prices", { "gpt-5": { input: 1, output: -1 } }, "prices"],
    ["prices", { "gpt-5": { input: 1, output: 1, cached: 1 } }, "prices"],
    ["autoHeartbeat", "yes", "autoHeartbeat"],
    ["signal", {}, "signal"],
    ["workflowYamlPath", 7, "workflowYamlPath"],
  ])("%s: %j is refused", async (name, value, option) => {
    const options = { ...(await good()), [name]: value }
    expect(refused(() => untyped(null, options)).option).toBe(option)
  })
})

describe("outside of a workflow", () => {
  const contracts = { "session.yaml": files["lead/session.yaml"] ?? "", "look.yaml": files["lead/look.yaml"] ?? "" }

  test.each([
    ["runtime", {}],
    ["sessionId", "s1"],
    ["onError", "allow"],
    ["recover", {}],
    ["autoHeartbeat", false],
  ])("%s is of no use, and refused", (name, value) => {
    const error = refused(() => untyped(null, { agent: "lead", contracts, [name]: value }))
    expect(error.option).toBe(name)
    expect(error.message).toMatch(/in a workflow only/)
  })

  test("contracts are given as texts or as a directory, and hold a session.yaml", () => {
    expect(refused(() => untyped(null, { agent: "lead" })).option).toBe("contractsDir")
    expect(refused(() => untyped(null, { agent: "lead", contracts: {} })).message).toMatch(/"session.yaml"/)
    expect(refused(() => untyped(null, { agent: "lead", contracts: { "session.yaml": 1 } })).option).toBe("contracts")
    const both = { agent: "lead", contracts, sessionYamlPath: "session.yaml" }
    expect(refused(() => untyped(null, both)).option).toBe("sessionYamlPath")
  })
})

describe("the definition of a root", () => {
  test("is found in a directory above, the nearest first", async () => {
    const runtime = await openRuntime()
    const folder = governance({
      "lead/deep/session.yaml": files["lead/session.yaml"] ?? "",
      "lead/deep/look.yaml": files["lead/look.yaml"] ?? "",
      "workflow.yaml": workflowYaml.replace("./lead/session.yaml", "./lead/deep/session.yaml"),
    })
    const session = lead(runtime, folder, { look: () => 1 }, { contractsDir: join(folder, "lead", "deep") })
    expect(await session.tools.look()).toBe(1)
  })

  test("that is nowhere is said with all places that were looked at", async () => {
    const runtime = await openRuntime()
    const folder = governance({ "workflow.yaml": null })
    const error = refused(() => lead(runtime, folder, {}))
    expect(error.option).toBe("workflowYamlPath")
    expect(error.message).toContain(`${join(folder, "lead")}, ${folder}, `)
  })

  test("is read from workflowYamlPath, or given whole", async () => {
    const folder = governance({ "workflow.yaml": null, "rules/release.yaml": workflowYaml.replaceAll("./", "../") })
    const path = join(folder, "rules", "release.yaml")
    const found = lead(await openRuntime(), folder, { look: () => 1 }, { workflowYamlPath: path })
    expect(await found.tools.look()).toBe(1)
    const { "workflow.yaml": _, ...contracts } = files
    const workflow = { type: "root", workflowId: "w1", role: "lead" } as const
    const definition = { workflowYaml, files: contracts }
    const given = lead(await openRuntime(), folder, { look: () => 1 }, { workflow: { ...workflow, definition } })
    expect(await given.tools.look()).toBe(1)
    const both = { workflowYamlPath: path, workflow: { ...workflow, definition } }
    const runtime = await openRuntime()
    expect(refused(() => lead(runtime, folder, {}, both)).option).toBe("workflowYamlPath")
    expect(refused(() => lead(runtime, folder, {}, { workflowYamlPath: join(folder, "no.yaml") })).message).toMatch(
      /ENOENT/,
    )
    expect(refused(() => worker(runtime, folder, {}, { workflowYamlPath: path })).option).toBe("workflowYamlPath")
  })

  test("that does not compile is said with file, line and column", async () => {
    const runtime = await openRuntime()
    const folder = governance({ "workflow.yaml": workflowYaml.replace("to: worker", "to: wroker") })
    const error = refused(() => lead(runtime, folder, {}))
    expect(error.message).toMatch(/workflow\.yaml:8:.*unknown_role[\s\S]*did you mean `worker`/)
    expect(error.diagnostics).toMatchObject([{ code: "unknown_role", line: 8 }])
  })

  test("holds the contracts that this process enforces, or the session does not start", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    const workflow = { type: "root", workflowId: "w1", role: "lead", definition: workflowYaml } as const
    expect(refused(() => lead(runtime, folder, {}, { workflow })).message).toMatch(/differ in session\.yaml, .*look/)
    expect(refused(() => lead(runtime, folder, {}, { contractsDir: join(folder, "worker") })).option).toBe(
      "contractsDir",
    )
  })
})

describe("the contracts of a role", () => {
  test("that do not compile stop the session", async () => {
    const runtime = await openRuntime()
    const folder = governance({ "worker/deploy.yaml": "tool: deploy\nside_efect: write\n" })
    const error = refused(() => worker(runtime, folder, {}))
    expect(error.message).toMatch(/deploy\.yaml:2:1 error unknown_key[\s\S]*did you mean `side_effect`/)
  })

  test("need a session.yaml, beside them or where sessionYamlPath says", async () => {
    const runtime = await openRuntime()
    const without = governance({
      "worker/session.yaml": null,
      "worker/strict.yaml": files["worker/session.yaml"] ?? "",
    })
    expect(refused(() => worker(runtime, without, {})).message).toMatch(/session\.yaml can't be read/)
    const session = worker(runtime, without, {}, { sessionYamlPath: join(without, "worker", "strict.yaml") })
    expect(session.role).toBe("worker")
    expect(refused(() => worker(runtime, join(without, "nowhere"), {})).message).toMatch(/can't be read/)
  })

  test("are one for each tool", async () => {
    const runtime = await openRuntime()
    const folder = governance({ "worker/deploy-again.yaml": files["worker/deploy.yaml"] ?? "" })
    expect(refused(() => worker(runtime, folder, {})).message).toMatch(/Two contracts .* deploy/)
  })

  test("may lie behind a link, and files that are no contracts are let be", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    symlinkSync(join(folder, "worker"), join(folder, "linked"))
    mkdirSync(join(folder, "worker", "notes.yaml"))
    writeFileSync(join(folder, "worker", "README.md"), "# Notes")
    expect(worker(runtime, folder, {}, { contractsDir: join(folder, "linked") }).role).toBe("worker")
    rmSync(join(folder, "linked"))
  })
})

test("a workflow that exists with other rules is refused by the runtime", async () => {
  const runtime: Client = await openRuntime()
  await lead(runtime, governance(), {}).ready()
  const changed = governance({ "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 1000") })
  expect(await errorOf(lead(runtime, changed, {}).ready())).toMatchObject({ code: "workflow_exists" })
})
