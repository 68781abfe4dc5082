import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type DiffFile, parseDiff } from "../../examples/pr-review/diff.ts"
import { maskLine } from "../../examples/pr-review/masking.ts"
import { lineRules, otherRules } from "../../examples/pr-review/rules.ts"
import { maxFindings, mergeScans, partition, scanDiff, scanFiles } from "../../examples/pr-review/scan.ts"
import { shannonEntropy } from "../../examples/pr-review/secrets.ts"
import { diffFile } from "./renderDiff.ts"

const change = (name: string) =>
  parseDiff(readFileSync(new URL(`../../examples/pr-review/changes/${name}`, import.meta.url), "utf8"))

/** A diff that adds these lines to a new file. */
const adding = (path: string, lines: readonly string[]) =>
  parseDiff(
    `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join("")}`,
  )
const rulesOf = (line: string, path = "src/x.ts") => scanDiff(adding(path, [line])).findings.map(({ rule }) => rule)

describe("the planted change", () => {
  const scan = scanDiff(change("risky.diff"))

  it("gives exactly the planted findings, on their lines", () => {
    expect(scan.findings.map(({ severity, rule, file, line }) => `${severity} ${rule} ${file}:${line ?? "–"}`)).toEqual(
      [
        "medium binary-program assets/tool.exe:–",
        "high secret-assigned config.yml:2",
        "low made-executable scripts/deploy.sh:–",
        "low todo src/server.js:6",
        "high secret-aws-key src/server.js:7",
        "high secret-assigned src/server.js:8",
        "high secret-in-url src/server.js:9",
        "low debug-console src/server.js:14",
        "high unsafe-eval src/server.js:23",
        "high unsafe-function-constructor src/server.js:24",
        "high unsafe-exec src/server.js:25",
        "high unsafe-sql src/server.js:27",
        "high weak-random src/server.js:28",
        "medium weak-hash src/server.js:29",
        "high tls-disabled src/server.js:30",
        "medium unsafe-html src/server.js:31",
        "medium debug-debugger src/server.js:32",
        "medium test-focused test/server.test.js:4",
        "medium test-skipped test/server.test.js:5",
      ],
    )
  })

  it("shows no secret whole", () => {
    const shown = JSON.stringify(scan)
    for (const secret of [
      "AKIAIOSFODNN7EXAMPLE",
      "q7Zt-not-real-Xw93Lm_kd81Vb",
      "n0t-a-real-pw",
      "Tr0ub4dor-and-3-made-up",
    ])
      expect(shown).not.toContain(secret)
    expect(scan.findings[4]!.excerpt).toBe('const awsKey = "AKIA…[20 characters hidden]"')
  })
})

describe("the real change", () => {
  it("gives what is really in it", () => {
    const { findings, files, addedLines } = scanDiff(change("default.diff"))
    expect([files, addedLines]).toEqual([16, 204])
    expect(findings.map(({ rule, file, line }) => `${rule} ${file}:${line ?? "–"}`)).toEqual([
      "unsafe-exec lib/utils.js:52",
      "binary-program vendor/notifu/notifu.exe:–",
      "binary-program vendor/notifu/notifu64.exe:–",
      "tls-disabled vendor/terminal-notifier.app/Contents/Info.plist:51",
      "binary-program vendor/terminal-notifier.app/Contents/MacOS/terminal-notifier:–",
    ])
    expect(findings[0]!.excerpt).toBe("return cp.exec(notifier + ' ' + options.join(' '), function(")
  })
})

describe("rules", () => {
  it.each([
    ["evaluate(x); model.eval(x)", []],
    ["window.eval(x)", ["unsafe-eval"]],
    ["const m = /a/.exec(`${x}`)", []],
    ["const m = pattern.exec(a + b)", []],
    ["function exec(a, b = `${c}`) {", []],
    ["execSync('ls ' + dir)", ["unsafe-exec"]],
    ["exec('ls ' + '-l', done)", []],
    ["exec('ls', { env: `${x}` })", []],
    ["spawn(cmd, { shell: true })", ["unsafe-shell"]],
    ["if (a.innerHTML == b) c()", []],
    ["a.innerHTML += b", ["unsafe-html"]],
    ["sql`SELECT a FROM t WHERE b = ${c}`", []],
    ["db.run(`SELECT a FROM t WHERE b = ${c}`)", ["unsafe-sql"]],
    ['log("SELECT a seat FROM the list")', []],
    ["const x = Math.random()", []],
    ["const sessionId = Math.random()", ["weak-random"]],
    ["log('createHash(\"md5\")')", []],
    ["// eslint-disable-next-line", ["check-disabled"]],
    ["const TODO = 1", []],
    ["/* FIXME */ go()", ["todo"]],
    ["go('http://x') // HACK", ["todo"]],
    ['const re = /"/; eval(x)', ["unsafe-eval"]],
    ["const s = `a ${eval(x)} b eval(y)`", ["unsafe-eval"]],
    ["it's; eval(x)", ["unsafe-eval"]],
  ])("%s", (line, rules) => {
    expect(rulesOf(line)).toEqual(rules)
  })

  it.each([
    ['const token = process.env.TOKEN ?? "your-token-here-1234"', []],
    ['const password = "${PASSWORD_FROM_VAULT_1}"', []],
    ['password: "aaaaaaaaaaaa1"', []],
    ['"api_key": "k3Jx9-Qm2Lw8-Zr5Tp1"', ["secret-assigned"]],
    ["-----BEGIN RSA PRIVATE KEY-----", ["secret-private-key"]],
    ['const blob = "aGVsbG8gd29ybGQgdGhpcyBpcyBCNjQ0Nzg5MDEyMzQ1"', ["secret-high-entropy"]],
    ['const commit = "da39a3ee5e6b4b0d3255bfef95601890afd80709"', []],
    ["https://user:hunter2hunter@host/", ["secret-in-url"]],
    ["https://user:$PASSWORD@host/", []],
  ])("secrets: %s", (line, rules) => {
    expect(rulesOf(line)).toEqual(rules)
  })

  it("leave prose and lock files alone, but for secrets", () => {
    expect(rulesOf("TODO: eval(x)", "README.md")).toEqual([])
    expect(rulesOf('"integrity": "sha512-aGVsbG8gd29ybGQgdGhpcyBpcyBCNjQ0Nzg5MDEyMzQ1"', "package-lock.json")).toEqual(
      [],
    )
    expect(rulesOf("key AKIAIOSFODNN7EXAMPLE", "README.md")).toEqual(["secret-aws-key"])
  })

  it("report minified lines and large files", () => {
    expect(rulesOf("x".repeat(6_000))).toEqual(["large-blob"])
    expect(scanDiff(adding("src/x.ts", Array(2_001).fill("x"))).findings.map(({ line }) => line)).toEqual([null])
  })

  it("look at added lines only", () => {
    const diff = parseDiff("diff --git a/x.js b/x.js\n--- a/x.js\n+++ b/x.js\n@@ -1,2 +1,1 @@\n eval(a)\n-eval(b)\n")
    expect(scanDiff(diff).findings).toEqual([])
  })

  it("have one id each, and an explanation", () => {
    const all = [...lineRules, ...otherRules]
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    for (const { explanation } of all) expect(explanation).toMatch(/\.$/)
  })

  it("take no more than a moment over a hostile line", () => {
    const hostile = [
      "a ".repeat(50_000),
      "'\\".repeat(50_000),
      "SELECT ".repeat(15_000),
      "`${".repeat(30_000),
      "password=".repeat(12_000),
    ]
    const before = performance.now()
    scanDiff(adding("src/x.ts", hostile))
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})

describe("excerpts", () => {
  it("show the place, shortened, with control characters by their number", () => {
    const [finding] = scanDiff(
      adding("src/x.ts", [`${"a = 1; ".repeat(40)}eval(\u001b[2J\u202e)${" ".repeat(300)}`]),
    ).findings
    expect(finding!.excerpt).toContain("eval(\\u{1b}[2J\\u{202e})")
    expect(finding!.excerpt.length).toBeLessThan(130)
  })

  it("hide a secret on the line of another finding", () => {
    const [, todo] = scanDiff(adding("src/x.ts", ['const k = "AKIAIOSFODNN7EXAMPLE" // TODO'])).findings
    expect(todo).toMatchObject({ rule: "todo", excerpt: 'const k = "AKIA…[20 characters hidden]" // TODO' })
  })
})

describe("parts", () => {
  it("scanned one by one and merged are the same as the whole", () => {
    const { files } = change("risky.diff")
    for (const parts of [1, 2, 3, 8, 50])
      expect(mergeScans(partition(files, parts).map(scanFiles))).toEqual(scanFiles(files))
  })

  it("hold every file once, in order, and are at most as many as wanted", () => {
    fc.assert(
      fc.property(fc.array(diffFile, { maxLength: 20 }), fc.integer({ min: 1, max: 8 }), (files: DiffFile[], most) => {
        const parts = partition(files, most)
        expect(parts.flat()).toEqual(files)
        expect(parts.length).toBeLessThanOrEqual(most)
        expect(parts.every((part) => part.length > 0)).toBe(true)
      }),
    )
  })

  it("never report more than the limit, and count the rest", () => {
    const lines = Array<string>(maxFindings + 20).fill("eval(x)")
    const scan = scanDiff(adding("src/x.js", lines))
    expect([scan.findings.length, scan.dropped]).toEqual([maxFindings, 20])
    expect(mergeScans([scan, scan])).toMatchObject({ dropped: maxFindings + 40, files: 2 })
  })
})

describe("masking", () => {
  it("keeps every column: code, strings and comments have the line's length", () => {
    const unit = fc.constantFrom(..."ab '\"`${}/\\*#(".split(""))
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), fc.constantFrom("c-like", "hash", "text"), (text, language) => {
        const { code, comment } = maskLine(text, language)
        expect([code.length, comment.length]).toEqual([text.length, text.length])
        for (const [index, char] of [...text].entries()) expect([char, " "]).toContain(code[index])
      }),
      { numRuns: 1_000 },
    )
  })
})

it("entropy is 0 for one character and log2 n for n different ones", () => {
  expect(shannonEntropy("aaaa")).toBe(0)
  expect(shannonEntropy("abcdefgh")).toBeCloseTo(3)
})
