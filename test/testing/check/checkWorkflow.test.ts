/** What `checkWorkflow` says of definitions with one planted problem each, and of one that has none. */
import { describe, expect, test } from "vitest"
import { compile } from "../../../src/definition/index.ts"
import { checkWorkflow } from "../../../src/testing/check/index.ts"
import type { Report } from "../../../src/testing/check/report.ts"
import { type Changes, definition } from "./definitions.ts"

const runs = 600
const check = (changes: Changes = {}): Report => checkWorkflow(definition(changes), { runs, seed: 7 })
const found = (report: Report, id: string) => {
  const finding = report.findings.find((one) => one.id === id)
  if (finding === undefined) throw new Error(`no ${id}, only ${report.findings.map((one) => one.id).join(", ")}`)
  return { ...finding, lines: finding.history.map(({ text }) => text) }
}

describe("a definition in which nothing is dangerous", () => {
  const report = check()

  test("has no danger, and workflows of good agents complete", () => {
    expect(report.violations).toEqual([])
    expect(report.dangers.map(({ id, text }) => `${id}: ${text}`)).toEqual([])
    expect(report.statistics.goodRuns).toBeGreaterThan(50)
    expect(report.statistics.goodRunsCompleted).toBe(report.statistics.goodRuns)
    expect(report.statistics.completed).toBeGreaterThan(runs / 2)
    expect(report.statistics.open).toBe(0)
  })

  test("tells what its timeouts and limits do, with a history for each", () => {
    const ids = report.reached.map(({ id }) => id)
    expect(ids).toEqual(
      expect.arrayContaining([
        "attempts:lead>dev",
        "expires:lead>dev",
        "limit:max_cost",
        "limit:max_duration",
        "paused:env",
        "times-out:lead>dev",
        "waits:lead",
      ]),
    )
    for (const { history } of report.reached) expect(history[0]?.text).toBe("lead creates the workflow")
    expect(found(report, "expires:lead>dev").history).toEqual([
      { at: 0, text: "lead creates the workflow" },
      { at: 0, text: "lead offers work to dev" },
      { at: 300_000, text: "the offer to dev expires: nobody claimed it within offer_timeout (5m)" },
    ])
  })

  test("says how far cost went past its limit, and what bounds that", () => {
    const { limit, reached, peak, overshoot } = report.limits.maxCost
    expect(limit).toBe(10)
    expect(reached).toBeGreaterThan(0)
    expect(peak).toBeGreaterThan(5)
    expect(overshoot.calls).toBe(60)
    expect(overshoot.bound).toBeGreaterThan(overshoot.seen)
    expect(report.limits.maxTokens).toMatchObject({
      limit: null,
      reached: 0,
      overshoot: { seen: 0, calls: 0, bound: 0 },
    })
  })
})

describe("a planted problem is found, with a short history", () => {
  test.each([
    ["exclusive_pending", "has a call on it that nobody resolved"],
    ["single_writer", "owns it, so nobody else may write"],
    ["serial_only", "stands at the head of its queue"],
  ])("%s, held for ever by a dead holder", (mode, why) => {
    const report = check({ resources: `\n  - { name: env, mode: ${mode} }` })
    const { level, text, fix, lines } = found(report, "held:env")
    expect(level).toBe("danger")
    expect(text).toContain(why)
    expect(fix).toContain("unresolved: release")
    expect(lines.length).toBeLessThanOrEqual(9)
    expect(lines.some((line) => /crashes|runs out|gives up|kills|takes the work back/.test(line))).toBe(true)
    expect(lines.at(-1)).toMatch(
      mode === "serial_only" ? /waits in the queue/ : /refused, env key-\d is held by the dead/,
    )
  })

  test("a resource that would be released, were it not for another that the same call holds", () => {
    const report = check({
      roles:
        "\n  - { name: lead, root: true, session_contract: lead/session.yaml }\n  - { name: dev, default_cost: 0.02 }",
      resources: `
  - { name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 30s }
  - { name: db, mode: exclusive_pending }`,
      files: {
        "lead/session.yaml": `schema_version: "1.0"\nagent: lead\n`,
        "lead/deploy.yaml": `tool: deploy
side_effect: write
resources: [{ name: env, key: main }, { name: db, key: main }]
cost: { estimate: 0.05 }
`,
      },
    })
    expect(found(report, "held:db").level).toBe("danger")
  })

  test("a role that no session can ever have, because limits stop every path to it", () => {
    const report = check({
      roles: "\n  - { name: lead, root: true }\n  - { name: dev }\n  - { name: tester }",
      handoffs: `
  - { from: lead, to: dev, claim_timeout: 1m, offer_timeout: 5m, max_attempts: 3 }
  - { from: dev, to: tester, claim_timeout: 1m, offer_timeout: 5m, max_attempts: 3 }`,
      limits: "\n  max_sessions: 2\n  max_steps: 60\n  max_duration: 2h",
    })
    const { level, text, runs: seen } = found(report, "never:tester")
    expect([level, seen]).toEqual(["danger", 0])
    expect(text).toContain("never gets a session")
    expect(text).toContain("max_sessions")
    expect(report.roles.tester).toEqual({ sessions: 0, steps: 0, completed: 0 })
  })

  test("a role whose every tool is blocked", () => {
    const report = check({
      roles: "\n  - { name: lead, root: true }\n  - { name: dev, session_contract: dev/session.yaml }",
      files: {
        "dev/session.yaml": `schema_version: "1.0"\nagent: dev\nrisk_defaults: { write: block }\n`,
        "dev/deploy.yaml":
          "tool: deploy\nside_effect: write\ncost: { estimate: 0.05 }\nresources: [{ name: env, key: main }]\n",
      },
    })
    expect(found(report, "never:dev").text).toContain("never commits a call")
  })

  test("a handoff that goes through all its tries", () => {
    const { level, lines } = found(check(), "attempts:lead>dev")
    expect(level).toBe("reached")
    expect(lines).toEqual([
      "lead creates the workflow",
      "lead offers work to dev",
      "dev claims the work",
      "the claim of dev runs out (claim_timeout 1m): it is offered again, try 2",
      "dev 2 claims the work (try 2)",
      "the claim of dev 2 runs out (claim_timeout 1m): it is offered again, try 3",
      "dev 3 claims the work (try 3)",
      "the claim of dev 3 runs out (claim_timeout 1m): that was try 3 of 3, and the handoff has failed",
    ])
  })

  test("a handoff that can be tried without end", () => {
    const report = check({
      handoffs: "\n  - { from: lead, to: dev, claim_timeout: 1m }",
      limits: "\n  max_steps: 60\n  max_depth: 2",
    })
    const { level, fix, lines } = found(report, "endless:lead>dev")
    expect(level).toBe("danger")
    expect(fix).toContain("max_attempts")
    expect(lines.length).toBeLessThanOrEqual(9)
  })

  test("limits that are too small even for agents that behave well", () => {
    const report = check({ limits: "\n  max_sessions: 20\n  max_steps: 2\n  max_duration: 2h" })
    expect(report.limits.maxSteps.reachedByGood).toBeGreaterThan(20)
    const { text, lines } = found(report, "limit:max_steps")
    expect(text).toContain("also when all agents behave well")
    expect(lines.length).toBeLessThanOrEqual(5)
  })

  test("cost that nothing bounds, and what would bound it", () => {
    const report = check({ limits: "\n  max_sessions: 20\n  max_cost: 1.00\n  max_duration: 2h" })
    const { level, text, fix, lines } = found(report, "overspend:max_cost")
    expect(level).toBe("danger")
    expect(text).toContain("without bound")
    expect(fix).toContain("max_steps")
    expect(lines.length).toBeLessThanOrEqual(6)
    expect(report.limits.maxCost.overshoot).toMatchObject({ calls: null, bound: null })
    expect(report.limits.maxCost.overshoot.seen).toBeGreaterThan(0)
    const bounded = check({ limits: "\n  max_sessions: 20\n  max_steps: 60\n  max_cost: 1.00\n  max_duration: 2h" })
    expect(bounded.dangers).toEqual([])
    expect(found(bounded, "overspend:max_cost").level).toBe("reached")
  })

  test("a workflow that stays open for ever when a process dies", () => {
    const report = check({ limits: "\n  max_sessions: 20\n  max_steps: 60\n  max_cost: 10.00" })
    expect(found(report, "stuck:lead").lines).toEqual(["lead creates the workflow", "lead crashes"])
    const { level, text, lines } = found(report, "stuck:dev")
    expect(level).toBe("danger")
    expect(text).toContain("its parent waits for ever")
    expect(lines.slice(0, 3)).toEqual(["lead creates the workflow", "lead offers work to dev", "dev claims the work"])
    expect(lines.at(-1)).toBe("dev crashes")
    expect(lines).toHaveLength(6)
    expect(report.statistics.open).toBeGreaterThan(0)
  })

  test("a claim that nobody watches", () => {
    const report = check({ handoffs: "\n  - { from: lead, to: dev, offer_timeout: 5m, max_attempts: 3 }" })
    const { level, fix, lines } = found(report, "unwatched:lead>dev")
    expect(level).toBe("danger")
    expect(fix).toContain("claim_timeout")
    expect(lines).toEqual([
      "lead creates the workflow",
      "lead offers work to dev",
      "dev claims the work",
      "dev crashes",
    ])
  })

  test("a role that others leave nothing to", () => {
    const report = check({ limits: "\n  max_sessions: 20\n  max_steps: 4\n  max_cost: 10.00\n  max_duration: 2h" })
    expect(found(report, "starved:dev.max_steps").level).toBe("reached")
  })
})

describe("what is asked for", () => {
  const dangerous = { resources: "\n  - { name: env, mode: exclusive_pending }" }

  test("the same seed gives the same report, another seed another one", () => {
    const once = JSON.stringify(checkWorkflow(definition(), { runs: 80, seed: 3 }))
    expect(JSON.stringify(checkWorkflow(definition(), { runs: 80, seed: 3 }))).toBe(once)
    expect(JSON.stringify(checkWorkflow(definition(), { runs: 80, seed: 4 }))).not.toBe(once)
  })

  test("agents that only behave well never crash, and hold nothing for ever", () => {
    const report = checkWorkflow(definition(dangerous), { runs: 300, agents: ["good"] })
    expect(report.statistics.goodRuns).toBe(300)
    expect(report.findings.filter(({ kind }) => /held|waits|stuck|blocked|overspend/.test(kind))).toEqual([])
  })

  test("without agents that lie, cost never goes past its limit", () => {
    const report = checkWorkflow(definition(), { runs: 300, agents: ["good", "slow", "greedy", "crash"] })
    expect(report.limits.maxCost.reached).toBeGreaterThan(0)
    expect(report.limits.maxCost.overshoot.seen).toBe(0)
  })

  test("a danger that is allowed stays a finding, and is a danger no more", () => {
    const report = checkWorkflow(definition(dangerous), { runs, seed: 7, allow: ["held:env"] })
    expect(report.dangers).toEqual([])
    expect(found(report, "held:env")).toMatchObject({ level: "danger", allowed: true })
  })

  test("progress is told up to the end", () => {
    const told: Array<readonly [number, number]> = []
    checkWorkflow(definition(), { runs: 100, onProgress: (done, all) => told.push([done, all]) })
    expect(told[0]).toEqual([0, 100])
    expect(told.at(-1)).toEqual([100, 100])
  })

  test.each([
    [{ runs: 0 }, "runs"],
    [{ runs: 1.5 }, "runs"],
    [{ seed: -1 }, "seed"],
    [{ commands: 1_000_000 }, "commands"],
    [{ agents: [] }, "agents"],
    [{ agents: { mix: { good: -1 } } }, "agents"],
    [{ agents: { overrun: 0 } }, "agents.overrun"],
    [{ agents: { cost: [2, 1] as const } }, "agents.cost"],
  ])("an impossible option is refused by name: %j", (options, option) => {
    expect(() => checkWorkflow(definition(), options)).toThrow(
      expect.objectContaining({ name: "CheckOptionError", option }),
    )
  })

  test("a path, the text, the text with its files, and an artifact are the same definition", () => {
    const path = "examples/pr-review/governance/workflow.yaml"
    expect(checkWorkflow(path, { runs: 5 }).workflow).toBe("pr-review")
    const text = `schema_version: "1.0"\nworkflow: small\nroles: [{ name: one }]\n`
    const compiled = compile({ file: "workflow.yaml", text })
    if (!compiled.ok) throw new Error("does not compile")
    const reports = [text, { workflowYaml: text }, compiled.artifact].map((input) => checkWorkflow(input, { runs: 20 }))
    expect(new Set(reports.map((report) => JSON.stringify(report))).size).toBe(1)
    expect(reports[0]?.hash).toBe(compiled.artifact.hash)
  })

  test("a definition that does not compile, and a file that is not there, are errors", () => {
    expect(() => checkWorkflow("workflow: x\nroles: 3\n")).toThrow(/does not compile/)
    expect(() => checkWorkflow("nowhere/workflow.yaml")).toThrow(/can't be read/)
  })
})
