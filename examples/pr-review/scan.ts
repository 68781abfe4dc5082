/**
 * The code scanner: what a change adds that a reviewer should look at.
 *
 * Only added lines count: what was there before is not this change's doing. The same diff always gives the same
 * findings in the same order, and no excerpt shows a secret, not even that of another finding on its line.
 */
import type { Diff, DiffFile, DiffLine } from "./diff.ts"
import type { FileKind } from "./kinds.ts"
import { fileKind } from "./kinds.ts"
import { languageOf, maskLine } from "./masking.ts"
import type { Severity } from "./rules.ts"
import { defaultKinds, lineRules, ruleInfo } from "./rules.ts"
import { findSecrets, redact } from "./secrets.ts"
import { plain } from "./terminal.ts"

export interface Finding {
  readonly rule: string
  readonly severity: Severity
  readonly file: string
  /** The line in the new file; null where the finding is about the file as a whole. */
  readonly line: number | null
  readonly excerpt: string
}

export interface Scan {
  readonly files: number
  readonly addedLines: number
  /** By file in the order of the diff, then by line, then by rule. */
  readonly findings: readonly Finding[]
  /** Findings beyond the limit, which are only counted. */
  readonly dropped: number
}

/** A report of more than this is not read, and must fit in a handoff's result. */
export const maxFindings = 500
const maxScannedChars = 4_000
const maxExcerptChars = 100
const largeBytes = 100 * 1024
const largeLines = 2_000
const largeLineChars = 5_000
const programs = /\.(?:exe|dll|so|dylib|node|jar|class|wasm|bin|msi|deb|rpm|apk|pyc)$|\/(?:macos|bin)\/[^/.]+$/i

export const scanDiff = (diff: Diff): Scan => scanFiles(diff.files)

export const scanFiles = (files: readonly DiffFile[]): Scan =>
  bounded(
    files.length,
    files.reduce((sum, file) => sum + file.added, 0),
    files.flatMap(scanFile),
    0,
  )

/** The scans of parts, in the order of the parts, as one. */
export const mergeScans = (scans: readonly Scan[]): Scan => {
  const sum = (of: "files" | "addedLines" | "dropped"): number => scans.reduce((total, scan) => total + scan[of], 0)
  return bounded(
    sum("files"),
    sum("addedLines"),
    scans.flatMap(({ findings }) => findings),
    sum("dropped"),
  )
}

const bounded = (files: number, addedLines: number, findings: readonly Finding[], dropped: number): Scan => {
  const over = Math.max(0, findings.length - maxFindings)
  return { files, addedLines, findings: over > 0 ? findings.slice(0, maxFindings) : findings, dropped: dropped + over }
}

/**
 * The files in at most `maxParts` runs of about equal size, in their order. The scanner governs one step a part, so a
 * kill or a crash in the middle finds some parts committed and the others not begun.
 */
export const partition = (files: readonly DiffFile[], maxParts: number): readonly (readonly DiffFile[])[] => {
  const weigh = (file: DiffFile): number => 1 + file.added + file.deleted
  const share = files.reduce((sum, file) => sum + weigh(file), 0) / maxParts
  const parts: DiffFile[][] = []
  let filled = 0
  for (const file of files) {
    const part = Math.min(maxParts - 1, Math.floor(filled / share))
    const last = parts.at(-1)
    if (last === undefined || (part >= parts.length && parts.length < maxParts)) parts.push([file])
    else last.push(file)
    filled += weigh(file)
  }
  return parts
}

export const scanFile = (file: DiffFile): readonly Finding[] => {
  const kind = fileKind(file.path)
  const findings = [...aboutFile(file)]
  for (const hunk of file.hunks) {
    for (const line of hunk.lines) if (line.kind === "added") findings.push(...scanLine(file.path, kind, line))
  }
  return findings
}

const finding = (rule: string, file: string, line: number | null, excerpt: string): Finding => ({
  rule,
  severity: ruleInfo.get(rule)?.severity ?? "low",
  file,
  line,
  excerpt: plain(excerpt),
})

const aboutFile = (file: DiffFile): readonly Finding[] => {
  const found: Finding[] = []
  if (file.status === "deleted") return found
  const executable = file.newMode === "100755"
  const bytes = file.binaryBytes === null ? "" : ` of ${file.binaryBytes} bytes`
  if (file.binary && (executable || programs.test(file.path)))
    found.push(finding("binary-program", file.path, null, `${file.status} binary file${bytes}`))
  if ((file.binaryBytes ?? 0) > largeBytes) found.push(finding("large-blob", file.path, null, `binary file${bytes}`))
  if (file.status === "added" && file.added > largeLines && fileKind(file.path) !== "lock")
    found.push(finding("large-blob", file.path, null, `${file.added} lines in a new file`))
  if (file.oldMode === "100644" && executable)
    found.push(finding("made-executable", file.path, null, "mode 100644 → 100755"))
  return found
}

const scanLine = (file: string, kind: FileKind, line: DiffLine): readonly Finding[] => {
  // Minified code is one line of a megabyte: the line is reported, and its start looked at.
  const text = line.text.slice(0, maxScannedChars).replace(/\r$/, "")
  const secrets = findSecrets(text, kind)
  const shown = (at: number): string => excerpt(text, secrets, at)
  const found: Finding[] = []
  if (line.text.length > largeLineChars && kind !== "lock")
    found.push(finding("large-blob", file, line.newLine, `a line of ${line.text.length} characters`))
  for (const rule of new Set(secrets.map((secret) => secret.rule))) {
    const start = secrets.find((secret) => secret.rule === rule)?.start ?? 0
    found.push(finding(rule, file, line.newLine, shown(start)))
  }
  const masked = { text, ...maskLine(text, languageOf(file)) }
  for (const rule of lineRules) {
    if (!(rule.kinds ?? defaultKinds).includes(kind)) continue
    const at = rule.find(masked)
    if (at !== null) found.push(finding(rule.id, file, line.newLine, shown(at)))
  }
  return found
}

/** The part of the line around `at`, without its indentation and without its secrets. */
const excerpt = (text: string, secrets: ReturnType<typeof findSecrets>, at: number): string => {
  const safe = redact(text, secrets)
  // Secrets before the match make the safe line shorter than the line; the window follows.
  const moved = redact(
    text.slice(0, at),
    secrets.filter(({ end }) => end <= at),
  ).length
  const whole = safe.trim()
  if (whole.length <= maxExcerptChars) return whole
  const from = moved < maxExcerptChars / 2 ? 0 : moved - 20
  const part = safe.slice(from).trimStart()
  const cut = part.length > maxExcerptChars ? `${part.slice(0, maxExcerptChars - 1)}…` : part
  return from > 0 ? `…${cut.slice(0, maxExcerptChars - 1)}` : cut
}
