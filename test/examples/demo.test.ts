/**
 * The demo from end to end: each variant in real processes on a real file, checked by what it printed and by what the store says.
 *
 * Nothing here is timed. A run waits for what must come, and fails by itself where it does not.
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import type { JournalEvent } from "../../src/index.ts"
import { newFolder, runDemo, startDemo } from "./runDemo.ts"

const patience = 240_000

type Body = JournalEvent["body"]
const bodies = <T extends Body["_tag"]>(events: readonly JournalEvent[], tag: T) =>
  events.map(({ body }) => body).filter((body): body is Extract<Body, { readonly _tag: T }> => body._tag === tag)

const promises = (stdout: string): string[] => stdout.split("\n").filter((line) => /^[✓✗]/.test(line))

describe("npm run demo", () => {
  it("reviews the change that ships with it, by four processes under one workflow", { timeout: patience }, async () => {
    const { code, events, file, handoffs, stderr, stdout, view } = await runDemo()
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(view.status).toBe("completed")
    expect(view.sessions.map(({ role, status }) => `${role} ${status}`).sort()).toEqual([
      "code-scanner completed",
      "orchestrator completed",
      "publisher completed",
      "risk-analyst completed",
    ])
    expect(handoffs.map(({ handoffId, status }) => `${handoffId} ${status}`).sort()).toEqual([
      "publish completed",
      "risk completed",
      "scan completed",
    ])
    expect(bodies(events, "handoff.claimed")).toHaveLength(3)
    expect(view.ledger.steps.used).toBeGreaterThanOrEqual(6)
    expect(view.ledger.cost.reserved).toBe(0)

    // What was handed over is what was written, and the review says what was found.
    const verdict = JSON.parse(file("verdict.json")).verdict
    expect(handoffs.find(({ handoffId }) => handoffId === "publish")?.result).toEqual({ verdict })
    expect(file("review.md")).toContain(`**Verdict: ${verdict}.**`)
    expect(file("review.md")).toContain("written under fencing token 1")
    expect(stdout).toContain(`verdict  ${verdict}`)
    expect(stdout).toContain("review   out/review.md")

    // Progress is plain in a pipe, and the picture stands below it.
    expect(stdout).not.toContain("\u001b")
    expect(stdout).toMatch(/code-scanner +scanner-1 claims scan, generation 1/)
    expect(stdout).toMatch(/workflow review-[0-9a-f]{6} +completed/)
    expect(stdout).toMatch(/change_request\/change-[0-9a-f]{12} +single_writer +free +1 +2/)
    expect(promises(stdout).every((line) => line.startsWith("✓"))).toBe(true)
  })

  it("--http: the same agents review it over a server, each only for its own session", {
    timeout: patience,
  }, async () => {
    const { code, events, stderr, stdout, view } = await runDemo("--http")
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/handrail serve, listening on http:\/\/127\.0\.0\.1:\d+/)
    expect(view.status).toBe("completed")
    expect(view.sessions.every(({ status }) => status === "completed")).toBe(true)
    expect(bodies(events, "handoff.claimed")).toHaveLength(3)
    // The server knew who each of them was: by its token, a session acts in its own name.
    const sessions = new Set<string>(view.sessions.map(({ sessionId }) => sessionId))
    const receipts = events.filter(({ body }) => body._tag === "steps.resolved")
    expect(receipts.length).toBeGreaterThanOrEqual(6)
    expect(receipts.every(({ actor }) => sessions.has(actor))).toBe(true)
  })

  it("--http --kill: an operator's kill reaches every agent through the server", { timeout: patience }, async () => {
    const { code, events, stdout, view } = await runDemo("--http", "--kill")
    expect(code).toBe(0)
    expect(view.status).toBe("killed")
    const [killed] = events.filter(({ body }) => body._tag === "killed")
    expect(killed?.actor).toBe("operator:demo")
    expect(stdout).toContain("stops by itself: ReplayKillError")
    expect(promises(stdout).every((line) => line.startsWith("✓"))).toBe(true)
  })

  it("--contend: one of two claims wins, and the other is told who was faster (I1)", {
    timeout: patience,
  }, async () => {
    const { code, events, stdout, view } = await runDemo("--contend")
    expect(code).toBe(0)
    const claims = bodies(events, "handoff.claimed").filter(({ handoffId }) => handoffId === "scan")
    expect(claims).toHaveLength(1)
    const winner = claims[0]?.sessionId
    expect(view.sessions.filter(({ role }) => role === "code-scanner").map(({ sessionId }) => sessionId)).toEqual([
      winner,
    ])
    expect(stdout).toContain(`lost: handoff_already_claimed, by ${winner}`)
    expect(view.status).toBe("completed")
  })

  it("--crash: a killed claimant's lease runs out, and another one finishes generation 2", {
    timeout: patience,
  }, async () => {
    const { code, events, handoffs, stdout, view } = await runDemo("--crash")
    expect(code).toBe(0)
    const scan = handoffs.find(({ handoffId }) => handoffId === "scan")
    expect(scan?.status).toBe("completed")
    expect(scan?.generation).toBeGreaterThanOrEqual(2)
    const [first, ...others] = bodies(events, "handoff.claimed").filter(({ handoffId }) => handoffId === "scan")
    expect(others.map(({ sessionId }) => sessionId)).toContain(scan?.sessionId)
    const [reclaim] = bodies(events, "handoff.reclaimed")
    expect(reclaim).toMatchObject({ handoffId: "scan", sessionId: first?.sessionId, reason: "claim_timeout" })
    expect(view.sessions.find(({ sessionId }) => sessionId === first?.sessionId)?.status).toBe("killed")
    // The dead process left nothing behind that anybody could have seen.
    expect(bodies(events, "steps.proposed").filter(({ sessionId }) => sessionId === first?.sessionId)).toEqual([])
    expect(stdout).toMatch(/kills process \d+ \(SIGKILL\)/)
    expect(view.status).toBe("completed")
  })

  it("--kill: one event ends the tree, everybody stops, and the receipt becomes quiescent (I5)", {
    timeout: patience,
  }, async () => {
    const { code, events, stdout, view } = await runDemo("--kill")
    expect(code).toBe(0)
    const [kill, ...more] = events.filter(({ body }) => body._tag === "killed")
    expect(more).toEqual([])
    expect(kill).toMatchObject({ actor: "operator:demo", body: { scope: "subtree", ends: "killed" } })
    const after = events.filter(({ seq }) => seq > (kill?.seq ?? 0)).map(({ body }) => body)
    expect(after).toMatchObject([{ _tag: "steps.resolved", late: true, steps: [{ outcome: "aborted" }] }])
    expect(view.status).toBe("killed")
    expect(view.sessions.map(({ status }) => status)).toEqual(["killed", "killed", "killed"])
    expect(view.handoffs.map(({ status }) => status)).toEqual(["killed", "killed"])
    expect(view.fencedKills).toEqual([])
    expect(view.ledger.cost.reserved).toBe(0)
    for (const agent of ["orchestrator", "scanner-1", "analyst-1"])
      expect(stdout).toMatch(new RegExp(`${agent} +stops by itself: ReplayKillError`))
    expect(stdout.indexOf("state     fenced")).toBeGreaterThan(0)
    expect(stdout.indexOf("state     quiescent")).toBeGreaterThan(stdout.indexOf("state     fenced"))
  })

  it("--overspend: what does not fit is refused, and an overshoot is recorded in full (I2)", {
    timeout: patience,
  }, async () => {
    const { code, events, stdout, view } = await runDemo("--overspend")
    expect(code).toBe(0)
    expect(stdout).toContain("limit_exceeded: 0.49 used + 0.02 requested > 0.50; nothing ran")
    expect(stdout).toContain("limit_exceeded: 0.69 used + 0.02 requested > 0.55; nothing ran")
    expect(bodies(events, "limits.raised").map(({ limits, role }) => [role, limits])).toEqual([
      ["code-scanner", { maxCost: 550_000 }],
      ["code-scanner", { maxCost: 1_000_000 }],
    ])
    // A refusal is no event: between a raise and the call that it allows, the scanner did nothing.
    const scans = bodies(events, "steps.proposed").filter(({ steps }) => steps[0]?.tool === "scan_diff")
    expect(scans).toHaveLength(6)
    expect(view.roles["code-scanner"]?.cost).toMatchObject({ max: 1, reserved: 0 })
    expect(view.status).toBe("completed")
  })

  it("reviews a range of a repository, and counts its history", { timeout: patience }, async () => {
    const repo = newFolder()
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", repo, "-c", "user.name=a", "-c", "user.email=a@example.org", ...args])
    git("init", "-q")
    for (const [index, text] of ["one\n", "one\ntwo\n", "one\ntwo\nthree // TODO: four\n"].entries()) {
      writeFileSync(join(repo, "a.ts"), text)
      git("add", ".")
      git("commit", "-q", "-m", `change ${index}`)
    }
    const { code, events, file } = await runDemo("HEAD~1..HEAD", "--repo", repo)
    expect(code).toBe(0)
    expect(JSON.parse(file("risk.json")).files).toMatchObject([{ path: "a.ts", added: 1, commits: 2 }])
    expect(JSON.parse(file("findings.json")).findings).toMatchObject([{ rule: "todo", file: "a.ts", line: 3 }])
    // The reader and the analyst share the repository, one step after the other.
    const tools = bodies(events, "steps.proposed").flatMap(({ steps }) =>
      steps.filter(({ resources }) => resources.some(({ name }) => name === "repository")).map(({ tool }) => tool),
    )
    expect(tools).toEqual(["read_change", "read_history"])
  })
})

describe("the demo, when it is stopped", () => {
  it("ends its processes at once, and says so by 130", { timeout: patience }, async () => {
    const demo = startDemo(["--crash", "--out", "out"])
    // From here on it waits for a lease of four seconds.
    while (!demo.printed().includes("process")) await new Promise((resolve) => demo.child.stdout?.once("data", resolve))
    const pids = [...demo.printed().matchAll(/process (\d+) is started/g)].map(([, pid]) => Number(pid))
    demo.child.kill("SIGINT")
    expect((await demo.ended).code).toBe(130)
    expect(pids.length).toBeGreaterThan(0)
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH")
  })
})

describe("the demo, asked for what can't be done", () => {
  const refused = async (args: readonly string[], cwd?: string) => {
    const { code, stderr, stdout } = await startDemo(args, cwd).ended
    // A message and no stack, and nothing was started.
    expect(stderr).not.toMatch(/^\s+at /m)
    expect(stdout).toBe("")
    return { code, message: stderr.split("\n")[0] }
  }

  it("says so by 2 and in one sentence", { timeout: patience }, async () => {
    const cwd = newFolder()
    writeFileSync(join(cwd, "a.txt"), "no diff\n")
    writeFileSync(join(cwd, "small.diff"), "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
    expect(await refused(["--bogus"], cwd)).toEqual({ code: 2, message: "There is no option --bogus." })
    expect(await refused(["gone.diff"], cwd)).toEqual({
      code: 2,
      message: `there is no file ${join(cwd, "gone.diff")}`,
    })
    expect(await refused(["HEAD~1..HEAD"], cwd)).toMatchObject({ code: 2, message: expect.stringContaining("git") })
    expect(await refused(["a.txt"], cwd)).toMatchObject({
      code: 2,
      message: expect.stringContaining("no changed file"),
    })
    expect(await refused(["--out", "a.txt"], cwd)).toMatchObject({ code: 2, message: expect.stringContaining("--out") })
    expect(await refused(["--kill", "small.diff"], cwd)).toMatchObject({
      code: 2,
      message: expect.stringContaining("3 parts"),
    })
  })

  it("helps", { timeout: patience }, async () => {
    const { code, stdout } = await startDemo(["--help"]).ended
    expect(code).toBe(0)
    for (const word of ["--contend", "--crash", "--kill", "--overspend", "--repo DIR", "--out DIR"])
      expect(stdout).toContain(word)
  })

  it("says in one line that the store is none", { timeout: patience }, async () => {
    const cwd = newFolder()
    writeFileSync(join(cwd, "handrail.db"), "x".repeat(10_000))
    const { code, stderr, stdout } = await startDemo(["--out", "."], cwd).ended
    expect(code).toBe(1)
    expect(stdout).toContain("✗ ")
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})
