import { describe, expect, it } from "vitest"
import { analyzeRisk } from "../../examples/pr-review/analyze.ts"
import { parseDiff } from "../../examples/pr-review/diff.ts"
import { type FileKind, fileKind } from "../../examples/pr-review/kinds.ts"
import { verdictOf, writeReview } from "../../examples/pr-review/report.ts"
import { type Finding, type Scan, scanDiff } from "../../examples/pr-review/scan.ts"
import { loadChange } from "../../examples/pr-review/source.ts"

/** A diff of one hunk for each pair of counts, in one file. */
const churn = (path: string, hunks: readonly (readonly [added: number, deleted: number])[]): string => {
  const bodies = hunks.map(([added, deleted], index) => {
    const start = index * 100 + 1
    const lines = [...Array(deleted).fill("-x"), ...Array(added).fill("+y")]
    return `@@ -${start},${deleted} +${start},${added} @@\n${lines.map((line) => `${line}\n`).join("")}`
  })
  return `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n${bodies.join("")}`
}
const riskOf = (texts: readonly string[], history?: ReadonlyMap<string, number>) =>
  analyzeRisk(parseDiff(texts.join("")), history ?? null)
const scanOf = (findings: readonly Finding[]): Scan => ({ files: 1, addedLines: 1, findings, dropped: 0 })
const finding: Finding = { rule: "todo", severity: "low", file: "a.ts", line: 1, excerpt: "// TODO" }
const calm = riskOf([churn("src/a.ts", [[2, 1]])])

describe("kinds of files", () => {
  it.each<[string, FileKind]>([
    ["src/a.ts", "source"],
    ["lib/a.test.js", "test"],
    ["test/a.json", "test"],
    ["package.json", "config"],
    [".eslintrc", "config"],
    ["vite.config.ts", "config"],
    ["package-lock.json", "lock"],
    ["README.md", "docs"],
    ["LICENSE", "docs"],
    ["examples/a.js", "example"],
    ["vendor/x.exe", "asset"],
    ["src/latest/a.go", "source"],
  ])("%s is %s", (path, kind) => {
    expect(fileKind(path)).toBe(kind)
  })
})

describe("the analysis", () => {
  it("counts churn, hunks and span, and weighs the heat by spread and kind", () => {
    const { files } = riskOf([
      churn("src/a.ts", [
        [3, 1],
        [4, 2],
      ]),
      churn("README.md", [[10, 0]]),
    ])
    // 10 lines in 2 hunks: 10 × (1 + log2 2) × 1. The second hunk starts at line 101 and has 2 old lines.
    expect(files[0]).toMatchObject({
      kind: "source",
      added: 7,
      deleted: 3,
      hunks: 2,
      span: 102,
      commits: null,
      heat: 20,
    })
    expect(files[1]).toMatchObject({ kind: "docs", added: 10, deleted: 0, hunks: 1, heat: 1 })
  })

  it("makes a file hotter that many commits touched, and finds a renamed one by its old name", () => {
    const rename =
      "diff --git a/old.ts b/new.ts\nsimilarity index 90%\nrename from old.ts\nrename to new.ts\n--- a/old.ts\n+++ b/new.ts\n@@ -1,1 +1,1 @@\n-a\n+b\n"
    const { files } = riskOf([rename, churn("a.ts", [[1, 1]])], new Map([["old.ts", 25]]))
    expect(files.map(({ commits, heat }) => [commits, heat])).toEqual([
      [25, 3],
      [0, 2],
    ])
  })

  it("puts the hottest first, at most five, and none without heat", () => {
    const names = ["a", "b", "c", "d", "e", "f"]
    const { hotSpots } = riskOf(names.map((name, index) => churn(`${name}.ts`, [[index + 1, 0]])))
    expect(hotSpots.map(({ path }) => path)).toEqual(["f.ts", "e.ts", "d.ts", "c.ts", "b.ts"])
    expect(riskOf(["diff --git a/x b/x\nold mode 100644\nnew mode 100755\n"]).hotSpots).toEqual([])
  })

  it("sums a score of parts that each have a reason and a bound", () => {
    const risk = riskOf([churn("src/a.ts", [[300, 300]]), churn("package.json", [[1, 1]])], new Map([["src/a.ts", 40]]))
    expect(risk.reasons.map(({ points, max }) => `${points}/${max}`)).toEqual([
      "30/35",
      "2/15",
      "20/20",
      "0/15",
      "5/5",
      "2/10",
    ])
    expect(risk).toMatchObject({ score: 59, level: "medium" })
    for (const { points, max } of risk.reasons) expect(points).toBeLessThanOrEqual(max)
    expect(risk.reasons.reduce((sum, { max }) => sum + max, 0)).toBe(100)
  })

  it("counts tests against source: half a line a line is enough", () => {
    const tested = riskOf([churn("src/a.ts", [[40, 0]]), churn("test/a.test.ts", [[20, 0]])])
    expect(tested.tests).toEqual({ sourceFiles: 1, testFiles: 1, sourceLines: 40, testLines: 20, ratio: 0.5 })
    expect(tested.reasons[2]!.points).toBe(0)
    expect(riskOf([churn("src/a.ts", [[40, 0]])]).reasons[2]!.points).toBe(20)
    expect(riskOf([churn("README.md", [[40, 0]])]).tests.ratio).toBeNull()
  })

  it("of the change that ships gives these figures", async () => {
    const risk = analyzeRisk(parseDiff((await loadChange({})).text))
    expect(risk).toMatchObject({ added: 204, deleted: 164, score: 67, level: "high" })
    expect(risk.hotSpots[0]).toMatchObject({ path: "lib/utils.js", added: 32, deleted: 29, hunks: 8, heat: 244 })
  })
})

describe("the verdict", () => {
  it("follows the worst finding, or the risk", () => {
    expect(verdictOf(scanOf([]), calm)).toBe("approve")
    expect(verdictOf(scanOf([finding]), calm)).toBe("approve")
    expect(verdictOf(scanOf([finding, { ...finding, severity: "medium" }]), calm)).toBe("comment")
    expect(verdictOf(scanOf([]), { ...calm, level: "high" })).toBe("comment")
    expect(verdictOf(scanOf([{ ...finding, severity: "high" }]), calm)).toBe("request changes")
    expect(verdictOf({ ...scanOf([]), dropped: 1 }, calm)).toBe("request changes")
  })
})

describe("the review", () => {
  const change = { id: "change-0123456789ab", title: "HEAD~1..HEAD" }

  it("has the verdict, every finding with its place, its reason once, the risk and every file", async () => {
    const loaded = await loadChange({})
    const diff = parseDiff(loaded.text)
    const { verdict, markdown } = writeReview({ change: loaded, scan: scanDiff(diff), risk: analyzeRisk(diff) })
    expect(verdict).toBe("request changes")
    expect(markdown).toContain(
      "**Verdict: request changes.** 2 high, 3 medium and 0 low findings; risk 67 of 100 (high).",
    )
    expect(markdown).toContain(
      "| high | `lib/utils.js:52` | Shell command put together from values (unsafe-exec) | `return cp.exec(notifier",
    )
    expect(markdown.match(/\*\*binary-program\*\*/g)).toHaveLength(1)
    expect(markdown).toContain("1. `lib/utils.js`: heat 244 (+32 −29 in 8 hunks)")
    for (const { path } of diff.files) expect(markdown).toContain(`| \`${path}\` |`)
  })

  it("lists the worst findings first, and is the same for the same input", () => {
    const scan = scanOf([finding, { ...finding, rule: "unsafe-eval", severity: "high" }])
    const { markdown } = writeReview({ change, scan, risk: calm })
    expect(markdown.indexOf("| high |")).toBeLessThan(markdown.indexOf("| low |"))
    expect(writeReview({ change, scan, risk: calm }).markdown).toBe(markdown)
  })

  it("says the time and how it came about only where it is told", () => {
    const plainReview = writeReview({ change, scan: scanOf([]), risk: calm }).markdown
    expect(plainReview).not.toContain("Reviewed:")
    const provenance = { workflowId: "wf_1", agents: ["code-scanner: scan-2 (generation 2)"], fence: 3 }
    const { markdown } = writeReview({
      change,
      scan: scanOf([]),
      risk: calm,
      provenance,
      at: "2024-05-01T10:00:00.000Z",
    })
    expect(markdown).toContain("- Reviewed: 2024-05-01T10:00:00.000Z")
    expect(markdown).toContain("Workflow `wf_1`, written under fencing token 3.")
    expect(markdown).toContain("- code-scanner: scan-2 &#40;generation 2&#41;")
  })

  it("keeps names and excerpts from the change from being Markdown, HTML or escape sequences", () => {
    const evil = { ...finding, file: "a|b`c\u001b[31m.ts", excerpt: "``x`` | <img src=x>\n# no" }
    const title = "<script>x</script> [link](http://x)"
    const { markdown } = writeReview({ change: { ...change, title }, scan: scanOf([evil]), risk: calm })
    const tableRow = markdown.split("\n").find((line) => line.startsWith("| low |"))
    expect(tableRow).toBe(
      "| low | ``a\\|b`c\\u{1b}[31m.ts:1`` | Unfinished work (todo) | ``` ``x`` \\| <img src=x>\\u{a}# no ``` |",
    )
    expect(markdown.split("\n")[0]).toBe("# Review of `<script>x</script> [link](http://x)`")
  })
})
