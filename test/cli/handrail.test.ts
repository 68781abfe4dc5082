/** The `handrail` command itself: help, versions, typing errors, completion, `check`, and what it prints where. */
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, vi } from "vitest"
import { commands } from "../../src/cli/commands.ts"
import { Progress } from "../../src/cli/Progress.ts"
import { Terminal, wrap } from "../../src/cli/Terminal.ts"
import { packageFile } from "../house/package.ts"
import { brokenYaml, directoryOf, handrail, here, saneYaml, warnedYaml } from "./command.ts"

// Each test starts processes, and the machine may be busy.
vi.setConfig({ testTimeout: 120_000 })

const names = commands.map(({ name }) => name)

describe("help", () => {
  test.each([[[]], [["--help"]], [["-h"]], [["help"]]])("%j shows every command", (args) => {
    const { code, out, err } = handrail(args)
    for (const name of names) expect(out).toMatch(new RegExp(`^  ${name} `, "m"))
    expect([code, err]).toEqual([0, ""])
  })

  test("of each command shows usage, options, examples and exit codes, however it is asked for", async () => {
    for (const name of names) {
      const words = name.split(" ")
      const { code, out } = await here([...words, "--help"])
      expect(out).toContain(`Usage: handrail ${name}`)
      expect(out).toContain("-h, --help")
      expect(out, name).toMatch(
        new RegExp(`Examples:\\n {2}# .+\\n {2}(HANDRAIL_STORE=\\S+ |zcat .* )?handrail ${name}`),
      )
      expect(out).toMatch(/Exit codes:\n {2}0 /)
      const lines = out.split("\n").filter((line) => !/^ {2}\S.*handrail /.test(line))
      expect(Math.max(...lines.map((line) => line.length)), name).toBeLessThanOrEqual(100)
      expect(code).toBe(0)
      expect((await here(["help", ...words])).out).toBe(out)
    }
  })

  test("of a group lists its commands; a group alone is a slip", async () => {
    const { code, out } = await here(["keys", "--help"])
    expect(out.match(/^ {2}keys \w+/gm)).toEqual(["  keys create", "  keys list", "  keys rotate", "  keys revoke"])
    expect(code).toBe(0)
    expect(await here(["help", "keys"])).toMatchObject({ code: 0, out })
    expect(await here(["keys"])).toMatchObject({ code: 2, out })
  })

  test("is the same summary in the list and in the command", async () => {
    for (const { name, summary, load } of commands) expect(await load()).toMatchObject({ name, summary })
  })

  test("loads nothing that is heavy", () => {
    const hooks =
      'export async function resolve(s,c,n){if(/^(effect|yaml|ajv|kysely|xstate|better-sqlite3)/.test(s))throw new Error("heavy: "+s);return n(s,c)}'
    const register = `import{register}from"node:module";register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)})`
    const node = ["--import", `data:text/javascript,${encodeURIComponent(register)}`]
    for (const args of [["--help"], ["serve", "--help"], ["completion", "bash"]])
      expect(handrail(args, { node })).toMatchObject({ code: 0, err: "" })
    // The guard itself: what compiles definitions is heavy.
    expect(handrail(["check", "examples/pr-review/governance"], { node }).err).toContain("heavy: ")
  })
})

test.each(["--version", "-V"])("%s shows the version of the package", (flag) => {
  expect(handrail([flag])).toEqual({ code: 0, out: `${packageFile().version}\n`, err: "" })
})

test.each([
  ["simulte", "there is no command simulte. did you mean `simulate`?"],
  ["--hlep", "there is no option --hlep. did you mean `--help`?"],
])("%s is refused with what was meant", (word, words) => {
  const { code, out, err } = handrail([word])
  expect(err).toContain(words)
  expect(err).toContain("See handrail --help.")
  expect([code, out]).toEqual([2, ""])
})

describe("check", () => {
  test("says that a definition compiles, of a file, a directory, and the current directory", () => {
    const cwd = directoryOf({ "workflow.yaml": saneYaml })
    for (const args of [["workflow.yaml"], ["."], []]) {
      const { code, out } = handrail(["check", ...args], { cwd })
      expect(out).toMatch(/^ok .*workflow\.yaml [0-9a-f]{12}\n$/)
      expect(code).toBe(0)
    }
  })

  test("shows every mistake with its place, and ends with 1", () => {
    const cwd = directoryOf({ "a/workflow.yaml": saneYaml, "b/workflow.yaml": brokenYaml })
    const { code, out, err } = handrail(["check", "a", "b"], { cwd })
    expect(out).toContain("ok a/workflow.yaml")
    expect(out).toContain("b/workflow.yaml:3:8 error wrong_type")
    expect(out).toContain("    roles: lead\n           ^\n")
    expect([code, err]).toEqual([1, ""])
  })

  test("counts warnings as mistakes where it is told to", () => {
    const cwd = directoryOf({ "workflow.yaml": warnedYaml })
    expect(handrail(["check"], { cwd })).toMatchObject({
      code: 0,
      out: expect.stringContaining("warning unreachable_role"),
    })
    expect(handrail(["check", "--strict"], { cwd }).code).toBe(1)
  })

  test("prints JSON for other programs", () => {
    const cwd = directoryOf({ "workflow.yaml": brokenYaml })
    const { code, out } = handrail(["check", "--json"], { cwd })
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      files: [{ file: "workflow.yaml", ok: false, hash: null, diagnostics: [{ code: "wrong_type", line: 3 }, {}, {}] }],
    })
    expect(code).toBe(1)
  })

  test("ends with 2 where there is nothing to read", () => {
    expect(handrail(["check", "nowhere"])).toMatchObject({ code: 2, out: "" })
  })
})

describe("init", () => {
  test("writes a folder that compiles without a warning and in which nothing dangerous can happen", () => {
    const cwd = directoryOf({})
    const { code, out } = handrail(["init"], { cwd })
    expect(out).toContain("wrote governance/worker/write_document.yaml\n")
    expect(out).toContain("Next: handrail check governance, then handrail simulate governance.")
    expect(code).toBe(0)
    expect(handrail(["check", "--strict", "governance"], { cwd })).toMatchObject({ code: 0, err: "" })
    expect(handrail(["simulate", "governance", "--runs", "300"], { cwd })).toMatchObject({
      code: 0,
      out: expect.stringContaining("no danger"),
    })
  })

  test("overwrites nothing, and then writes nothing else either", async () => {
    const cwd = directoryOf({ "mine/worker/session.yaml": "mine" })
    const refused = await here(["init", join(cwd, "mine")])
    expect(refused).toMatchObject({ code: 1, out: "", err: expect.stringContaining("file_exists: ") })
    expect(readdirSync(join(cwd, "mine"))).toEqual(["worker"])
    expect(readFileSync(join(cwd, "mine/worker/session.yaml"), "utf8")).toBe("mine")
    expect(await here(["init", join(cwd, "mine/worker/session.yaml")])).toMatchObject({ code: 2, out: "" })
  })
})

describe("completion", () => {
  const completed = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
    const script = `${handrail(["completion", "bash"]).out}
COMP_WORDS=(${words.map((word) => `"${word}"`).join(" ")}); COMP_CWORD=${words.length - 1}; _handrail; printf '%s\\n' "\${COMPREPLY[@]}"`
    return spawnSync("bash", ["-c", script], { encoding: "utf8" }).stdout.trim().split("\n")
  }

  test("in bash: commands, options, and the values of options", () => {
    expect(completed(["handrail", "si"])).toEqual(["simulate"])
    expect(completed(["handrail", "keys", "r"])).toEqual(["rotate", "revoke"])
    expect(completed(["handrail", "keys", "create", "--scopes", "o"])).toEqual(["operator"])
    expect(completed(["handrail", "kill", "pr-42", "--scope", "s"])).toEqual(["session", "subtree"])
    expect(completed(["handrail", "workflows", "list", "--sta"])).toEqual(["--status"])
    expect(completed(["handrail", "simulate", "--r"])).toEqual(["--runs"])
    expect(completed(["handrail", "simulate", "--agents", "g"])).toEqual(["good", "greedy"])
    expect(completed(["handrail", "completion", "z"])).toEqual(["zsh"])
  })

  test.each(["zsh", "fish"])("in %s it names every command and option", (shell) => {
    const { out, code } = handrail(["completion", shell])
    for (const word of [...names.flatMap((name) => name.split(" ")), "runs", "strict", "greedy"])
      expect(out).toContain(word)
    expect(code).toBe(0)
  })

  test("for a shell that there is none for is refused", () => {
    expect(handrail(["completion", "csh"])).toMatchObject({ code: 2, err: expect.stringContaining("bash, zsh, fish") })
  })
})

describe("on a terminal", () => {
  const fake = (env: Record<string, string> = {}, isTTY = true) => {
    const written: Array<string> = []
    const stream = { isTTY, columns: 200, write: (text: string) => written.push(text) }
    return { written, terminal: new Terminal({ stdout: stream, stderr: stream, env }) }
  }

  test.each([
    [{}, true, true],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ TERM: "dumb" }, true, false],
    [{}, false, false],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, false, false],
  ])("with %j, and a terminal: %j, there are colours: %j", (env, isTTY, colours) => {
    expect(fake(env, isTTY).terminal.paint("red", "x") !== "x").toBe(colours)
  })

  test("lines are never wider than can be read", () => {
    expect(fake().terminal.columns).toBe(120)
    expect(wrap("one two three", 9, "  ")).toBe("  one two\n  three")
    expect(wrap("bad\u001b[31m", 80)).toBe("bad\ufffd[31m")
  })

  test("a long run has a progress bar, which goes away; a short one has none", () => {
    const { terminal, written } = fake()
    const times = [0, 100, 500, 550, 700]
    const progress = new Progress(terminal, () => times.shift() ?? 1000)
    progress.show(0, 10)
    expect(written).toEqual([])
    progress.show(5, 10)
    expect(written.at(-1)).toContain(`${"█".repeat(15)}${"░".repeat(15)} 5 of 10 runs, 1 s left`)
    progress.show(6, 10)
    expect(written).toHaveLength(1)
    progress.show(7, 10)
    expect(written).toHaveLength(2)
    progress.done()
    expect(written.at(-1)).toBe("\r\u001b[2K")
  })
})
