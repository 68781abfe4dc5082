/**
 * `review.md`: the publisher's work, from the scanner's findings and the analyst's risk.
 *
 * Deterministic: the same inputs give the same bytes. Time, where it is wanted, comes in. Everything from the change
 * (paths, excerpts, titles) is untrusted text inside of Markdown, so it is escaped where it stands.
 */
import type { FileRisk, Risk } from "./analyze.ts"
import type { Severity } from "./rules.ts"
import { ruleInfo } from "./rules.ts"
import type { Finding, Scan } from "./scan.ts"
import { plain } from "./terminal.ts"

export type Verdict = "approve" | "comment" | "request changes"

export interface Provenance {
  readonly workflowId: string
  /** Who did what: one line each, such as `code-scanner: scan-1 (generation 2)`. */
  readonly agents: readonly string[]
  /** The token under which the review was written, where the publisher has one. */
  readonly fence?: number
}

export interface ReviewInput {
  readonly change: { readonly id: string; readonly title: string }
  readonly scan: Scan
  readonly risk: Risk
  readonly provenance?: Provenance
  /** ISO time of the review. */
  readonly at?: string
}

export interface Review {
  readonly verdict: Verdict
  readonly markdown: string
}

const severities: readonly Severity[] = ["high", "medium", "low"]
const maxRows = 200

/** One high finding is enough to stop; doubts make a comment; what is left is fine by these rules, which are not all. */
export const verdictOf = (scan: Scan, risk: Risk): Verdict => {
  if (scan.dropped > 0 || scan.findings.some(({ severity }) => severity === "high")) return "request changes"
  const doubts = scan.findings.some(({ severity }) => severity === "medium") || risk.level === "high"
  return doubts ? "comment" : "approve"
}

export const writeReview = (input: ReviewInput): Review => {
  const verdict = verdictOf(input.scan, input.risk)
  const parts = [
    heading(input, verdict),
    findingsTable(input.scan),
    explanations(input.scan),
    riskPart(input.risk),
    filesTable(input.risk, input.scan),
    notes(input),
  ]
  return { verdict, markdown: `${parts.filter((part) => part !== "").join("\n\n")}\n` }
}

const bySeverity = ({ findings }: Scan): readonly Finding[] =>
  severities.flatMap((severity) => findings.filter((finding) => finding.severity === severity))

export const countsOf = ({ findings }: Scan): Readonly<Record<Severity, number>> => {
  const counts = { high: 0, medium: 0, low: 0 }
  for (const { severity } of findings) counts[severity] += 1
  return counts
}

const heading = ({ change, scan, risk, at }: ReviewInput, verdict: Verdict): string => {
  const counts = countsOf(scan)
  const lines = [
    `# Review of ${code(change.title)}`,
    "",
    `**Verdict: ${verdict}.** ${counts.high} high, ${counts.medium} medium and ${counts.low} low findings; risk ${risk.score} of 100 (${risk.level}).`,
    "",
    `- Change: ${code(change.id)}`,
    `- Size: ${risk.files.length} files, +${risk.added} −${risk.deleted}`,
  ]
  if (at !== undefined) lines.push(`- Reviewed: ${inline(at)}`)
  return lines.join("\n")
}

const findingsTable = (scan: Scan): string => {
  if (scan.findings.length === 0) return "## Findings\n\nNone of the rules matched an added line."
  const rows = bySeverity(scan).slice(0, maxRows)
  const left = scan.findings.length - rows.length + scan.dropped
  const table = [
    "| severity | where | finding | excerpt |",
    "|---|---|---|---|",
    ...rows.map(
      (finding) => `| ${finding.severity} | ${code(where(finding))} | ${titleOf(finding)} | ${code(finding.excerpt)} |`,
    ),
  ]
  const more = left > 0 ? `\n\n${left} more findings are not listed.` : ""
  return `## Findings\n\n${table.join("\n")}${more}`
}

const where = ({ file, line }: Finding): string => (line === null ? file : `${file}:${line}`)
const titleOf = ({ rule }: Finding): string => `${ruleInfo.get(rule)?.title ?? inline(rule)} (${inline(rule)})`

/** Each rule that matched is explained once, however often it did. */
const explanations = (scan: Scan): string => {
  const rules = [...new Set(bySeverity(scan).map(({ rule }) => rule))]
  const lines = rules.map((rule) => `- **${inline(rule)}**: ${ruleInfo.get(rule)?.explanation ?? ""}`)
  return lines.length === 0 ? "" : `### Why it matters\n\n${lines.join("\n")}`
}

const riskPart = (risk: Risk): string => {
  const reasons = risk.reasons.map(({ points, max, text }) => `| ${points} of ${max} | ${text} |`)
  const hot = risk.hotSpots.map(
    (file, index) =>
      `${index + 1}. ${code(file.path)}: heat ${file.heat} (+${file.added} −${file.deleted} in ${hunks(file)}${history(file)})`,
  )
  const { ratio, testFiles, sourceFiles } = risk.tests
  const tests =
    ratio === null
      ? "No source lines were added."
      : `Test lines per source line: ${ratio} (${testFiles} test and ${sourceFiles} source files touched).`
  const parts = [
    `## Risk: ${risk.score} of 100 (${risk.level})`,
    ["| points | because of |", "|---|---|", ...reasons].join("\n"),
    tests,
  ]
  if (hot.length > 0) parts.push(`### Hot spots\n\n${hot.join("\n")}`)
  return parts.join("\n\n")
}

const hunks = ({ hunks: count }: FileRisk): string => (count === 1 ? "1 hunk" : `${count} hunks`)
const history = ({ commits }: FileRisk): string => (commits === null ? "" : `, ${commits} of the last 200 commits`)

const filesTable = (risk: Risk, scan: Scan): string => {
  const found = new Map<string, number>()
  for (const { file } of scan.findings) found.set(file, (found.get(file) ?? 0) + 1)
  const rows = risk.files.slice(0, maxRows).map((file) => {
    const size = file.binary ? "binary" : `+${file.added} −${file.deleted}`
    return `| ${code(file.path)} | ${file.kind} | ${file.status} | ${size} | ${file.hunks} | ${file.heat} | ${found.get(file.path) ?? 0} |`
  })
  const left = risk.files.length - rows.length
  const more = left > 0 ? `\n\n${left} more files are not listed.` : ""
  const head = ["| file | kind | status | lines | hunks | heat | findings |", "|---|---|---|---|---|---|---|"]
  return `## Files\n\n${[...head, ...rows].join("\n")}${more}`
}

const notes = ({ provenance }: ReviewInput): string => {
  if (provenance === undefined) return ""
  const lines = provenance.agents.map((agent) => `- ${inline(agent)}`)
  const fence = provenance.fence === undefined ? "" : `, written under fencing token ${provenance.fence}`
  return `## How this review came about\n\nWorkflow ${code(provenance.workflowId)}${fence}.\n\n${lines.join("\n")}`
}

/** Untrusted text within a sentence: nothing in it is Markdown or HTML any more. */
const inline = (text: string): string =>
  plain(text).replace(/[\\`*_{}[\]()<>#|!~&]/g, (char) => `&#${char.charCodeAt(0)};`)

/** Untrusted text as code, in a fence of backticks longer than any within; a pipe would end the table's cell. */
const code = (text: string): string => {
  const shown = plain(text).replaceAll("|", "\\|")
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = "`".repeat(longest + 1)
  const pad = shown === "" || shown.startsWith("`") || shown.endsWith("`") ? " " : ""
  return `${fence}${pad}${shown}${pad}${fence}`
}
