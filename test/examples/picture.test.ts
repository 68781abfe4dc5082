import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { drawPicture, ledgerNames, type Picture, type PictureSession } from "../../examples/pr-review/picture.ts"
import { Progress } from "../../examples/pr-review/progress.ts"
import { clip, pad, plain, wantsColour, width } from "../../examples/pr-review/terminal.ts"
import { HandoffId, KillId, SessionId, StepId, WorkflowId } from "../../src/machines/ids.ts"

const session = (
  sessionId: string,
  role: string,
  parentSessionId: string | null,
  status = "completed",
): PictureSession => ({
  sessionId,
  role,
  agent: `${role}-agent`,
  parentSessionId,
  status,
  handoffId: parentSessionId === null ? null : `ho_${role}`,
  stepsCommitted: 2,
})

const picture: Picture = {
  workflowId: "pr-review-1",
  status: "completed",
  sessions: [
    session("s-1", "orchestrator", null),
    session("s-2", "code-scanner", "s-1", "killed"),
    session("s-3", "code-scanner", "s-1"),
    session("s-4", "helper", "s-3"),
    session("s-5", "publisher", "s-1"),
  ],
  handoffs: [
    {
      handoffId: "ho_scan",
      fromRole: "orchestrator",
      toRole: "code-scanner",
      status: "completed",
      generation: 2,
      claimedBy: "s-3",
    },
    {
      handoffId: "ho_risk",
      fromRole: "orchestrator",
      toRole: "risk-analyst",
      status: "offered",
      generation: 1,
      claimedBy: null,
    },
  ],
  resources: [
    { name: "change_request", key: "change-1", mode: "single_writer", owner: "s-5", holders: [], fence: 1, version: 2 },
    {
      name: "repository",
      key: "handrail",
      mode: "serial_only",
      owner: null,
      holders: ["s-3", "s-4"],
      fence: 3,
      version: 2,
    },
    { name: "change_scan", key: "change-1", mode: "exclusive_pending", owner: null, holders: [], fence: 6, version: 6 },
  ],
  ledger: {
    sessions: { used: 5, reserved: 0, max: 12 },
    activeSessions: { used: 0, reserved: 0, max: 4 },
    steps: { used: 9, reserved: 1, max: 100 },
    cost: { used: 1.5, reserved: 0.25, max: 2 },
    tokens: { used: 12345, reserved: 0, max: null },
    openHandoffs: { used: 1, reserved: 0, max: 4 },
  },
  kills: [{ killId: "k-1", scope: "subtree", reason: "the operator said so", state: "fenced" }],
}

const linesOf = (drawn: string): string[] => drawn.split("\n")
const lineWith = (drawn: string, text: string): string => linesOf(drawn).find((line) => line.includes(text)) ?? ""

describe("the picture", () => {
  const drawn = drawPicture(picture)

  it("is a box in which every line has the same width, and that fits 100 columns", () => {
    expect(new Set(linesOf(drawn).map(width))).toEqual(new Set([100]))
    expect(new Set(linesOf(drawPicture(picture, { columns: 72 })).map(width))).toEqual(new Set([72]))
    expect(new Set(linesOf(drawPicture(picture, { columns: 500 })).map(width))).toEqual(new Set([100]))
  })

  it("shows the tree of sessions with role, agent, status and steps", () => {
    const tree = linesOf(drawn)
      .filter((line) => line.includes("-agent"))
      .map((line) => line.slice(2, 28).trimEnd())
    expect(tree).toEqual(["orchestrator", "├─ code-scanner", "├─ code-scanner", "│  └─ helper", "└─ publisher"])
    expect(lineWith(drawn, "s-2")).toMatch(/code-scanner-agent +s-2 +killed +2 steps/)
  })

  it("shows handoffs with generation, status and claimant", () => {
    expect(lineWith(drawn, "ho_scan")).toMatch(/ho_scan +orchestrator → code-scanner +2 +completed +s-3/)
    expect(lineWith(drawn, "ho_risk")).toMatch(/1 +offered +–/)
  })

  it("shows resources with mode, holder, fence and version", () => {
    expect(lineWith(drawn, "change_request/")).toMatch(/single_writer +s-5 +1 +2/)
    expect(lineWith(drawn, "repository/")).toMatch(/serial_only +s-3 \+1 +3 +2/)
    expect(lineWith(drawn, "change_scan/")).toMatch(/exclusive_pending +free +6 +6/)
  })

  it("shows the ledger as bars of what is used, reserved and free", () => {
    expect(lineWith(drawn, "cost ")).toMatch(/█{33}▒{6}·{5} 1\.50 \+ 0\.25 reserved of 2\.00/)
    expect(lineWith(drawn, "tokens ")).toMatch(/ ·{44} 12,345 of no limit/)
  })

  it("shows kills with their state, and no such part where there is none", () => {
    expect(lineWith(drawn, "k-1")).toMatch(/subtree +fenced +the operator said so/)
    expect(drawPicture({ ...picture, kills: [] })).not.toContain("kills")
  })

  it("uses colour only when asked, and colour changes no width", () => {
    const start = String.fromCharCode(27)
    const escapes = new RegExp(`${start}\\[[0-9;]*m`, "g")
    expect(drawn).not.toMatch(escapes)
    const coloured = drawPicture(picture, { colour: true })
    expect(coloured).toMatch(escapes)
    expect(coloured.replace(escapes, "")).toBe(drawn)
  })

  it("draws an empty workflow, orphans of a page, a ring of parents and a very large tree", () => {
    expect(drawPicture({ ...picture, sessions: [], handoffs: [], resources: [] })).toContain("none")
    expect(drawPicture({ ...picture, sessions: [session("s-9", "lost", "gone")] })).toContain("│ lost")
    expect(drawPicture({ ...picture, sessions: [session("a", "x", "b"), session("b", "x", "a")] })).toContain(
      "… and 2 more",
    )
    const many = Array.from({ length: 5_000 }, (_, index) =>
      session(`s-${index}`, "x", index === 0 ? null : `s-${index - 1}`),
    )
    expect(drawPicture({ ...picture, sessions: many })).toContain("… and 4960 more")
  })

  it("stays a box of 100 harmless columns whatever the names and figures are", () => {
    const name = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.constant("\u001b]0;x\u0007\r\n\t世界🙂\u202e"),
      fc.constant("toString"),
    )
    const figure = fc.oneof(fc.nat(1_000), fc.double({ min: 0, max: 1e9, noNaN: true }))
    const counter = fc.record({ used: figure, reserved: figure, max: fc.option(figure) })
    const sessionLike = fc.record({
      sessionId: name,
      role: name,
      agent: name,
      parentSessionId: fc.option(name),
      status: name,
      handoffId: fc.constant(null),
    })
    const arbitrary: fc.Arbitrary<Picture> = fc.record({
      workflowId: name,
      status: name,
      sessions: fc.array(sessionLike, { maxLength: 6 }),
      handoffs: fc.array(
        fc.record({
          handoffId: name,
          fromRole: name,
          toRole: name,
          status: name,
          generation: fc.nat(),
          claimedBy: fc.option(name),
        }),
        { maxLength: 3 },
      ),
      resources: fc.array(
        fc.record({
          name,
          key: name,
          mode: name,
          owner: fc.option(name),
          holders: fc.array(name, { maxLength: 3 }),
          fence: fc.nat(),
          version: fc.nat(),
        }),
        { maxLength: 3 },
      ),
      ledger: fc.record({
        sessions: counter,
        activeSessions: counter,
        steps: counter,
        cost: counter,
        tokens: counter,
        openHandoffs: counter,
      }),
      kills: fc.array(fc.record({ killId: name, scope: name, reason: name, state: name }), { maxLength: 2 }),
    })
    fc.assert(
      fc.property(arbitrary, (value) => {
        for (const line of linesOf(drawPicture(value))) {
          expect(width(line)).toBe(100)
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
        }
      }),
      { numRuns: 150 },
    )
  })

  it("has a bar for every counter of the ledger", () => {
    expect(ledgerNames.every((name) => name in picture.ledger)).toBe(true)
  })
})

describe("text for a terminal", () => {
  it("shows control characters, overrides and line separators by their number", () => {
    expect(plain("a\u001b[2Jb\n\u202ec\u2028")).toBe("a\\u{1b}[2Jb\\u{a}\\u{202e}c\\u{2028}")
  })

  it("measures wide characters and marks, and cuts between characters", () => {
    expect([width("ab"), width("世界"), width("e\u0301"), width("🙂")]).toEqual([2, 4, 1, 2])
    expect([clip("世界世界", 5), clip("abc", 3), clip("abcd", 3), clip("abc", 0)]).toEqual(["世界…", "abc", "ab…", ""])
    expect(pad("世界世界", 4)).toBe("世… ")
  })

  it("is coloured for people only", () => {
    expect(wantsColour({ isTTY: true }, {})).toBe(true)
    expect(wantsColour({ isTTY: true }, { NO_COLOR: "1" })).toBe(false)
    expect(wantsColour({ isTTY: true }, { NO_COLOR: "" })).toBe(true)
    expect(wantsColour({ isTTY: true }, { TERM: "dumb" })).toBe(false)
    expect(wantsColour({}, {})).toBe(false)
  })
})

describe("progress", () => {
  const root = SessionId.make("s-1")
  const child = SessionId.make("s-2")
  const handoffId = HandoffId.make("scan")
  const stepId = StepId.make("st-1")
  const repository = { name: "repository", key: "r" }

  it("is one line an event, in plain words, with roles for ids", () => {
    const lines: string[] = []
    const progress = new Progress({ write: (line) => lines.push(line) })
    const base = { definitionHash: "x", workflow: "pr-review", deadline: null }
    progress.event({
      at: 1_000,
      body: {
        _tag: "workflow.created",
        workflowId: WorkflowId.make("wf"),
        sessionId: root,
        role: "orchestrator",
        agent: "lead",
        ...base,
      },
    })
    progress.event({
      at: 1_250,
      body: {
        _tag: "handoff.offered",
        sessionId: root,
        handoffId,
        toRole: "code-scanner",
        summary: null,
        artifacts: [],
        resources: [],
        deadline: null,
      },
    })
    progress.event({
      at: 1_500,
      body: {
        _tag: "handoff.claimed",
        handoffId,
        generation: 1,
        sessionId: child,
        agent: "scan-1",
        deadline: null,
        grants: [],
      },
    })
    const step = { stepId, tool: "scan_diff", arguments: null, cost: 20_000, tokens: 0, resources: [repository] }
    progress.event({
      at: 2_000,
      body: {
        _tag: "steps.proposed",
        sessionId: child,
        steps: [{ ...step, status: "admitted", fences: [{ ...repository, token: 1 }] }],
      },
    })
    progress.event({
      at: 2_100,
      body: {
        _tag: "steps.resolved",
        sessionId: child,
        steps: [{ stepId, outcome: "committed", cost: 15_000, tokens: 0 }],
        progressed: [handoffId],
      },
    })
    progress.note(2_200, "process", "code-scanner was killed with SIGKILL")
    progress.event({
      at: 3_000,
      body: {
        _tag: "killed",
        killId: KillId.make("k"),
        scope: "workflow",
        sessionId: null,
        reason: "enough",
        ends: "killed",
      },
    })
    expect(lines).toEqual([
      "   0.00s  orchestrator     lead starts the workflow wf",
      "   0.25s  orchestrator     offers scan to code-scanner",
      "   0.50s  code-scanner     scan-1 claims scan, generation 1",
      "   1.00s  code-scanner     scan_diff is admitted (repository token 1)",
      "   1.10s  code-scanner     scan_diff committed for 0.015; scan is in progress",
      "   1.20s  process          code-scanner was killed with SIGKILL",
      "   2.00s  workflow         KILLED (workflow): enough; the workflow is killed",
    ])
  })

  it("lets no control character of a reason through, and fits its columns", () => {
    const lines: string[] = []
    const progress = new Progress({ write: (line) => lines.push(line), columns: 80, startedAt: 0 })
    progress.event({ at: 0, body: { _tag: "handoff.withdrawn", handoffId, reason: `\u001b[2J\n${"x".repeat(200)}` } })
    expect(lines).toHaveLength(1)
    expect(width(lines[0]!)).toBe(80)
    expect(lines[0]).not.toMatch(/\p{Cc}/u)
  })
})
