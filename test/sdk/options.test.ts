/** What `replay` refuses before anything is created, with the option to mend. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
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

  test.each([
    ["contracts", {}],
    ["principal", "me"],
    ["gate", "reject_all"],
    ["unmatchedPolicy", "block"],
    ["narrowingFeedback", "silent"],
    ["environment", "prod"],
    ["mode", "shadow"],
    ["mode", "log-only"],
    ["onError", "allow"],
  ])("%s is refused by name, as something that comes later", async (name, value) => {
    const options = { ...(await good()), [name]: value }
    const error = refused(() => untyped(null, options))
    expect(error.option).toBe(name)
    expect(error.message).toMatch(/not supported/)
    expect(error.message).toContain(name)
  })

  test("a provider's client comes later", async () => {
    const options = await good()
    expect(refused(() => untyped({ chat: {} }, options)).message).toMatch(/not supported yet/)
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
    ["tools", undefined, "tools"],
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
    ["autoHeartbeat", "yes", "autoHeartbeat"],
    ["signal", {}, "signal"],
    ["workflowYamlPath", 7, "workflowYamlPath"],
  ])("%s: %j is refused", async (name, value, option) => {
    const options = { ...(await good()), [name]: value }
    expect(refused(() => untyped(null, options)).option).toBe(option)
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
    expect(session.unenforced).toEqual([])
    expect(refused(() => worker(runtime, join(without, "nowhere"), {})).message).toMatch(/can't be read/)
  })

  test("are one for each tool", async () => {
    const runtime = await openRuntime()
    const folder = governance({ "worker/deploy-again.yaml": files["worker/deploy.yaml"] ?? "" })
    expect(refused(() => worker(runtime, folder, {})).message).toMatch(/Two contracts .* deploy/)
  })

  test("that can't be enforced yet are listed, and warned of once", async () => {
    const runtime = await openRuntime()
    const folder = governance({
      "worker/session.yaml": `schema_version: "1.0"
agent: worker
phases: [{ name: start, initial: true }, { name: end, terminal: true }]
transitions: { start: [end] }
session_limits: { max_tool_calls: 5, loop_detection: { window: 4, threshold: 2 } }
`,
      "worker/deploy.yaml": `tool: deploy
side_effect: write
gate: allow
commit_requirement: acknowledged
transitions: { valid_in_phases: [start], advances_to: end }
preconditions: [{ requires_prior_tool: check }]
argument_value_invariants: [{ path: $.environment, one_of: [prod] }]
checkpoint: true
`,
      "worker/check.yaml":
        "tool: check\nside_effect: read\ncheckpoint: false\ncommit_requirement: none\nforbids_after: [deploy]\n",
    })
    const warnings: Array<Error & { code?: string }> = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on("warning", listen)
    onTestFinished(() => {
      process.off("warning", listen)
    })
    const session = worker(runtime, folder, {})
    worker(runtime, folder, {})
    expect(session.unenforced).toEqual([
      "session.yaml: transitions",
      "session.yaml: session_limits.max_tool_calls",
      "session.yaml: session_limits.loop_detection",
      "check: commit_requirement",
      "check: forbids_after",
      "deploy: transitions",
      "deploy: preconditions",
      "deploy: argument_value_invariants",
    ])
    // Node hands out warnings in the next turn of its loop.
    await new Promise((resolve) => setImmediate(resolve))
    const unenforced = warnings.filter(({ code }) => code === "HANDRAIL_UNENFORCED")
    expect(unenforced).toHaveLength(1)
    expect(unenforced[0]?.message).toContain("deploy: preconditions")
  })

  test("may lie behind a link, and files that are no contracts are let be", async () => {
    const runtime = await openRuntime()
    const folder = governance()
    symlinkSync(join(folder, "worker"), join(folder, "linked"))
    mkdirSync(join(folder, "worker", "notes.yaml"))
    writeFileSync(join(folder, "worker", "README.md"), "# Notes")
    expect(worker(runtime, folder, {}, { contractsDir: join(folder, "linked") }).unenforced).toEqual([])
    rmSync(join(folder, "linked"))
  })
})

test("a workflow that exists with other rules is refused by the runtime", async () => {
  const runtime: Client = await openRuntime()
  await lead(runtime, governance(), {}).ready()
  const changed = governance({ "workflow.yaml": workflowYaml.replace("max_cost: 100", "max_cost: 1000") })
  expect(await errorOf(lead(runtime, changed, {}).ready())).toMatchObject({ code: "workflow_exists" })
})
