/** `handrail simulate`, run as a user and as CI would run it. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, vi } from "vitest"
import type { CheckReport } from "../../src/testing/check/index.ts"
import { root } from "../house/package.ts"
import { brokenYaml, dangerousYaml, directoryOf, handrail, main, saneYaml, warnedYaml } from "./command.ts"

// Each test starts processes, and the machine may be busy.
vi.setConfig({ testTimeout: 120_000 })

const few = ["--runs", "300"]
const csi = "\u001b["

describe("simulate", () => {
  test("says that nothing is dangerous, and what can be reached, and ends with 0", () => {
    const cwd = directoryOf({ "workflow.yaml": saneYaml })
    const { code, out, err } = handrail(["simulate", "workflow.yaml", ...few], { cwd })
    expect(err).toBe("")
    expect(out).toMatch(/^team: 300 runs, [\d,]+ commands, seed 1\n/)
    expect(out).toContain("  expires:lead>dev\n")
    expect(out).toMatch(/Cost went [\d.]+ past a limit/)
    expect(out).toContain("\nNever reached: max_sessions 20")
    expect(out).toMatch(/no danger, \d+ reached\. --history ID/)
    expect(code).toBe(0)
  })

  test("shows a danger with its history and its fix, and ends with 1", () => {
    const cwd = directoryOf({ "governance/workflow.yaml": dangerousYaml })
    const { code, out } = handrail(["simulate", "governance", ...few], { cwd })
    expect(out).toMatch(/\nDANGER held:env \(in [\d.]+ % of the runs\)\n {2}env can stay with a dead/)
    expect(out).toContain("  fix: give env `unresolved: release`")
    expect(out).toContain("    0:00  lead creates the workflow\n")
    expect(out).toMatch(/ 1 danger|\n1 danger/)
    expect(code).toBe(1)
  })

  test("ends with 0 where the danger is allowed, and tells of an allowance that allows nothing", () => {
    const cwd = directoryOf({ "workflow.yaml": dangerousYaml })
    const { code, out, err } = handrail(["simulate", ...few, "--allow", "held:env,held:nothing"], { cwd })
    expect(out).toContain("\nALLOWED held:env")
    expect(out).toMatch(/no danger, 1 allowed/)
    expect(err).toContain("--allow held:nothing: there is nothing of this id to allow.")
    expect(code).toBe(0)
  })

  test("prints the report as JSON, and nothing else on standard output", () => {
    const cwd = directoryOf({ "workflow.yaml": dangerousYaml })
    const { code, out } = handrail(["simulate", ...few, "--json", "--seed", "5"], { cwd })
    const report: CheckReport = JSON.parse(out)
    expect(Object.keys(report)).toEqual([
      "workflow",
      "hash",
      "seed",
      "findings",
      "violations",
      "dangers",
      "reached",
      "limits",
      "roles",
      "statistics",
    ])
    expect(report.seed).toBe(5)
    expect(report.dangers.map(({ id }) => id)).toEqual(["held:env"])
    expect(Object.keys(report.dangers[0] ?? {}).toSorted()).toEqual(
      ["allowed", "fix", "history", "id", "kind", "level", "runs", "subject", "text"].toSorted(),
    )
    expect(report.dangers[0]?.history[0]).toEqual({ at: 0, text: "lead creates the workflow" })
    expect(code).toBe(1)
  })

  test("prints the history of what is asked for", () => {
    const cwd = directoryOf({ "workflow.yaml": saneYaml })
    const { code, out } = handrail(["simulate", ...few, "--history", "times-out:lead>dev"], { cwd })
    expect(out.trim().split("\n")).toEqual([
      expect.stringMatching(/^REACHED times-out:lead>dev/),
      expect.stringContaining("dev can lose its claim"),
      "    0:00  lead creates the workflow",
      "    0:00  lead offers work to dev",
      "    0:00  dev claims the work",
      "    1:00  the claim of dev runs out (claim_timeout 1m): it is offered again, try 2",
    ])
    expect(code).toBe(0)
    const unknown = handrail(["simulate", ...few, "--history", "times-out:lead>def"], { cwd })
    expect(unknown.err).toContain("did you mean `times-out:lead>dev`?")
    expect(unknown.code).toBe(2)
  })

  test("points to the compiler's warnings, and finds what they warn of", () => {
    const cwd = directoryOf({ "workflow.yaml": warnedYaml })
    const { code, out, err } = handrail(["simulate", ...few], { cwd })
    expect(err).toBe("1 compiler warning: see handrail check workflow.yaml.\n")
    expect(out).toContain("DANGER never:idle")
    expect(out).toContain("No handoff leads to it, and it is no root role.")
    expect(code).toBe(1)
  })

  test("only simulates the agents that it is told to", () => {
    const cwd = directoryOf({ "workflow.yaml": dangerousYaml })
    expect(handrail(["simulate", ...few, "--agents", "good", "--no-operator"], { cwd }).code).toBe(0)
    const report: CheckReport = JSON.parse(
      handrail(["simulate", ...few, "--agents", "good,crash=3", "--json"], { cwd }).out,
    )
    expect(report.limits.maxCost.overshoot.seen).toBe(0)
    expect(report.dangers.map(({ id }) => id)).toEqual(["held:env"])
  })

  test("the same seed prints the same", () => {
    const cwd = directoryOf({ "workflow.yaml": saneYaml })
    const args = ["simulate", "--runs", "100", "--seed", "9", "--json"]
    expect(handrail(args, { cwd }).out).toBe(handrail(args, { cwd }).out)
  })
})

describe("simulate refuses, with 2 and in words,", () => {
  test("a definition that does not compile, with every mistake and its place", () => {
    const cwd = directoryOf({ "workflow.yaml": brokenYaml })
    const { code, out, err } = handrail(["simulate", "workflow.yaml"], { cwd })
    expect(out).toBe("")
    expect(err).toContain("workflow.yaml:3:8 error wrong_type")
    expect(err).toContain("did you mean `limits`?")
    expect(code).toBe(2)
  })

  test("YAML that is none", () => {
    const cwd = directoryOf({ "workflow.yaml": "roles: [unclosed\n" })
    const { code, err } = handrail(["simulate"], { cwd })
    expect(err).toContain("error yaml_syntax")
    expect(code).toBe(2)
  })

  test.each([
    [["nothing.yaml"], "there is no file nothing.yaml"],
    [["a.yaml", "b.yaml"], 'takes no argument "b.yaml"'],
    [["--rnus", "5"], "did you mean `--runs`?"],
    [["--runs"], "--runs needs a value: --runs N"],
    [["--runs", "--json"], "--runs needs a value"],
    [["--runs", "many"], '--runs takes a whole number, not "many"'],
    [["--runs", "0"], "--runs: "],
    [["--json=yes"], "--json takes no value"],
    [["--agents", "good,evil"], "evil"],
    [["--agents", "good=x"], "good"],
    [["--cost", "cheap"], "--cost takes two amounts"],
  ])("%j", (args, words) => {
    const cwd = directoryOf({ "workflow.yaml": saneYaml, "a.yaml": saneYaml })
    const { code, out, err } = handrail(["simulate", ...args], { cwd })
    expect(err).toContain(words)
    expect(err).toContain("See handrail simulate --help.")
    expect(out).toBe("")
    expect(code).toBe(2)
  })

  test("a directory without a workflow.yaml", () => {
    const { code, err } = handrail(["simulate"], { cwd: directoryOf({ "other.yaml": "a: 1\n" }) })
    expect(err).toContain("workflow.yaml can't be read")
    expect(code).toBe(2)
  })
})

describe("in a pipe", () => {
  test("there are no colours and there is no progress bar, unless colours are forced", () => {
    const cwd = directoryOf({ "workflow.yaml": dangerousYaml })
    const plain = handrail(["simulate", "--runs", "800"], { cwd })
    expect(plain.out + plain.err).not.toContain(csi)
    expect(plain.err).not.toContain("runs,")
    expect(handrail(["simulate", ...few], { cwd, env: { FORCE_COLOR: "1" } }).out).toContain(`${csi}31mDANGER`)
    expect(handrail(["simulate", ...few], { cwd, env: { FORCE_COLOR: "1", NO_COLOR: "1" } }).out).not.toContain(csi)
  })

  test("whoever stops reading stops it without a word", () => {
    const cwd = directoryOf({ "workflow.yaml": saneYaml })
    const line = `"${process.execPath}" "${main}" simulate --runs 50 --json | head -n 1; exit "\${PIPESTATUS[0]}"`
    const { status, stdout, stderr } = spawnSync("bash", ["-c", line], { cwd, encoding: "utf8" })
    expect(stdout).toBe("{\n")
    expect(stderr).not.toMatch(/EPIPE|at /)
    expect(status).toBe(0)
  })
})

test("control characters in a definition never reach the terminal", () => {
  const cwd = directoryOf({ "workflow.yaml": brokenYaml.replace("limts", '"li\\e[31mts"') })
  const { err, code } = handrail(["simulate"], { cwd })
  expect(err).not.toContain("\u001b")
  expect(code).toBe(2)
})

test("docs/simulate.md shows what is really printed", () => {
  const page = readFileSync(join(root, "docs", "simulate.md"), "utf8")
  const shown = /```text\n([\s\S]*?)\n```/.exec(page)?.[1]?.split("\n  …\n")
  const { out, code } = handrail(["simulate", "examples/pr-review/governance", "--runs", "2000"])
  expect(shown).toHaveLength(2)
  for (const part of shown ?? []) expect(out).toContain(part)
  expect(code).toBe(1)
})
