/** What is printed, as pure functions: tables, trees, events, checks, screens; and nothing in it that drives a terminal. */
import { describe, expect, test } from "vitest"
import {
  judgeClock,
  judgeDeadlines,
  judgeDisk,
  judgeKeys,
  judgeMigrations,
  judgeNewest,
  judgeVersions,
} from "../../src/cli/doctorChecks.ts"
import { eventLine } from "../../src/cli/eventText.ts"
import { Screen } from "../../src/cli/Screen.ts"
import { Terminal } from "../../src/cli/Terminal.ts"
import { cell, table } from "../../src/cli/table.ts"
import { momentText, relative } from "../../src/cli/times.ts"
import type { JournalEvent } from "../../src/machines/events.ts"
import { HandoffId, SessionId } from "../../src/machines/ids.ts"

const fake = (isTTY = false, rows = 8) => {
  const written: Array<string> = []
  const stream = { isTTY, columns: 100, rows, write: (text: string) => written.push(text) }
  return { written, terminal: new Terminal({ stdout: stream, stderr: stream, env: {} }) }
}

describe("a table", () => {
  test("aligns what is seen, not the colours", () => {
    const { terminal } = fake(true)
    const rows = [
      [terminal.paint("green", "a"), "1", "x"],
      ["bcd", terminal.paint("red", "10"), ""],
    ]
    const columns = [{ title: "NAME" }, { title: "N", align: "right" as const }, { title: "REST" }]
    const lines = table(columns, rows, terminal)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours are made of
      .replace(/\u001b\[\d+m/g, "")
      .split("\n")
    expect(lines).toEqual(["NAME   N  REST", "a      1  x", "bcd   10"])
  })

  test("shows what would move the cursor, and cuts what is too long", () => {
    expect(cell("a\u001b[2Jb")).toBe("a\ufffd[2Jb")
    expect(cell("x".repeat(80))).toHaveLength(60)
  })
})

test("times are told from now", () => {
  expect([relative(1000, 61_000), relative(7_200_000, 0), relative(10, 20)]).toEqual(["1m ago", "in 2h", "now"])
  expect(momentText(0)).toBe("1970-01-01 00:00:00Z")
})

test("an event's line can't drive the terminal, whatever an agent wrote", () => {
  const event: JournalEvent = {
    seq: 3,
    at: 0,
    actor: "operator:a\u001b]0;x",
    body: { _tag: "handoff.withdrawn", handoffId: HandoffId.make("job-1"), reason: "\u001b[2J\u202e gone" },
  }
  const line = eventLine(event, fake().terminal)
  expect(line).toMatch(
    /^ {4}3 00:00:00\.000 handoff\.withdrawn {2}operator:a\ufffd\]0;x {2}job-1 \(\ufffd\[2J\ufffd gone\)$/,
  )
})

test("an event that ended the workflow says so", () => {
  const body = { _tag: "session.completed", sessionId: SessionId.make("s"), handoffId: null, result: null } as const
  const event: JournalEvent = { seq: 9, at: 0, actor: "s", body: { ...body, artifacts: [], ends: "completed" } }
  expect(eventLine(event, fake().terminal)).toContain("s, the workflow is completed")
})

describe("a screen", () => {
  test("never draws more lines than there are, and says how many are missing", () => {
    const { terminal, written } = fake(true, 8)
    const screen = new Screen(terminal)
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`)
    screen.draw(lines)
    expect(written[0]?.split("\n")).toHaveLength(8)
    expect(written[0]).toContain("line 6")
    expect(written[0]).not.toContain("line 7")
    expect(written[0]).toContain("… 14 more lines")
    screen.draw(lines.slice(0, 7))
    expect(written[1]).not.toContain("more lines")
  })

  test("gives the terminal back", () => {
    const { terminal, written } = fake(true)
    const screen = new Screen(terminal)
    screen.open()
    screen.close()
    expect(written).toEqual(["\u001b[?1049h\u001b[?25l", "\u001b[?25h\u001b[?1049l"])
  })
})

describe("a check", () => {
  test.each([
    [judgeVersions("0.1.0", "20.19.0"), "ok"],
    [judgeVersions("0.1.0", "20.18.9"), "fail"],
    [judgeVersions("0.1.0", "24.0.0"), "ok"],
    [judgeMigrations({ executed: ["a", "b"], known: ["a", "b"] }), "ok"],
    [judgeMigrations({ executed: ["a"], known: ["a", "b"] }), "warn"],
    [judgeMigrations({ executed: ["a", "z"], known: ["a", "b"] }), "fail"],
    [judgeClock(900, 10, "it"), "ok"],
    [judgeClock(-1500, 10, "it"), "warn"],
    // As far off as it could be known at all.
    [judgeClock(1500, 600, "it"), "ok"],
    [judgeClock(61_000, 10, "it"), "fail"],
    [judgeNewest(undefined, 0), "ok"],
    [judgeNewest(5000, 1000), "warn"],
    [judgeDisk(2 * 1024 ** 3), "ok"],
    [judgeDisk(500 * 1024 ** 2), "warn"],
    [judgeDisk(1024), "fail"],
    [judgeDeadlines(null, 0), "ok"],
    [judgeDeadlines(90_000, 100_000), "ok"],
    [judgeDeadlines(0, 100_000), "warn"],
    [judgeKeys(0, 0), "warn"],
    [judgeKeys(2, 0), "warn"],
    [judgeKeys(2, 1), "ok"],
  ])("%o is %s", ({ level, text }, expected) => {
    expect([level, text]).toEqual([expected, expect.stringMatching(/\S/)])
  })
})
