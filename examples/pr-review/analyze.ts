/**
 * The risk analyst: how much a change moves, where it is hot, and how risky that makes it.
 *
 * The score is a sum of named parts, each with its points and its reason, so that a reader can disagree with a part
 * instead of with a number. It is a rule of thumb and says so; it knows nothing of what the code means.
 */
import type { Diff, DiffFile } from "./diff.ts"
import type { FileKind } from "./kinds.ts"
import { fileKind } from "./kinds.ts"

export interface FileRisk {
  readonly path: string
  readonly kind: FileKind
  readonly status: DiffFile["status"]
  readonly binary: boolean
  readonly added: number
  readonly deleted: number
  readonly hunks: number
  /** Lines of the old file from its first to its last change: the same churn over a wider span is harder to follow. */
  readonly span: number
  /** How many of the last 200 commits touched the file; null where there is no repository to ask. */
  readonly commits: number | null
  /** Churn × spread × weight of the kind × history, to one decimal. 0 for a file whose change cannot be read. */
  readonly heat: number
}

export interface Reason {
  readonly points: number
  readonly max: number
  readonly text: string
}

export interface Risk {
  /** In the order of the diff. */
  readonly files: readonly FileRisk[]
  /** The hottest first, at most 5, none without heat. */
  readonly hotSpots: readonly FileRisk[]
  readonly added: number
  readonly deleted: number
  readonly tests: {
    readonly sourceFiles: number
    readonly testFiles: number
    readonly sourceLines: number
    readonly testLines: number
    /** Lines added to tests for each line added to source; null where no source was added. */
    readonly ratio: number | null
  }
  /** 0 to 100. */
  readonly score: number
  readonly level: "low" | "medium" | "high"
  /** Every part of the score, also those of 0 points. */
  readonly reasons: readonly Reason[]
}

/** What a changed line of each kind can break, compared to one of source. */
const weights: Readonly<Record<FileKind, number>> = {
  source: 1,
  config: 0.8,
  test: 0.4,
  asset: 0.3,
  example: 0.2,
  lock: 0.1,
  docs: 0.1,
}

/** `1 file`, `2 files`. */
const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const round1 = (value: number): number => Math.round(value * 10) / 10

/** `history` is what `changeHistory` answers: commits by path. */
export const analyzeRisk = (diff: Diff, history: ReadonlyMap<string, number> | null = null): Risk => {
  const files = diff.files.map((file) => fileRisk(file, history))
  const hotSpots = files
    .filter(({ heat }) => heat > 0)
    .sort((a, b) => b.heat - a.heat || (a.path < b.path ? -1 : 1))
    .slice(0, 5)
  const tests = testsTouched(files)
  const reasons = [
    sizeOf(files),
    breadthOf(files),
    untestedOf(tests),
    unreadableOf(files),
    setUpOf(files),
    historyOf(files),
  ]
  const score = Math.min(
    100,
    reasons.reduce((sum, { points }) => sum + points, 0),
  )
  const level = score >= 60 ? "high" : score >= 30 ? "medium" : "low"
  return { files, hotSpots, added: diff.added, deleted: diff.deleted, tests, score, level, reasons }
}

const fileRisk = (file: DiffFile, history: ReadonlyMap<string, number> | null): FileRisk => {
  const kind = fileKind(file.path)
  const commits = history === null ? null : (history.get(file.oldPath ?? file.path) ?? 0)
  const churn = file.added + file.deleted
  const spread = 1 + Math.log2(Math.max(1, file.hunks.length))
  // A file that is touched all the time is where bugs were found before: up to twice as hot.
  const past = 1 + Math.min(commits ?? 0, 50) / 50
  return {
    path: file.path,
    kind,
    status: file.status,
    binary: file.binary,
    added: file.added,
    deleted: file.deleted,
    hunks: file.hunks.length,
    span: spanOf(file),
    commits,
    heat: round1(churn * spread * weights[kind] * past),
  }
}

const spanOf = ({ hunks }: DiffFile): number => {
  const [first, last] = [hunks[0], hunks.at(-1)]
  return first === undefined || last === undefined ? 0 : last.oldStart + last.oldLines - first.oldStart
}

const testsTouched = (files: readonly FileRisk[]): Risk["tests"] => {
  const of = (kind: FileKind): readonly FileRisk[] => files.filter((file) => file.kind === kind)
  const lines = (kind: FileKind): number => of(kind).reduce((sum, { added }) => sum + added, 0)
  const sourceLines = lines("source")
  const testLines = lines("test")
  const ratio = sourceLines === 0 ? null : Math.round((testLines / sourceLines) * 100) / 100
  return { sourceFiles: of("source").length, testFiles: of("test").length, sourceLines, testLines, ratio }
}

const sizeOf = (files: readonly FileRisk[]): Reason => {
  const weighted = files.reduce((sum, { added, deleted, kind }) => sum + (added + deleted) * weights[kind], 0)
  // Saturates: 2,000 lines are not ten times as risky to wave through as 200, they are both not read.
  const points = Math.round(35 * (1 - Math.exp(-weighted / 300)))
  return { points, max: 35, text: `${counted(Math.round(weighted), "changed line")}, weighted by the kind of file` }
}

const breadthOf = (files: readonly FileRisk[]): Reason => {
  const count = files.filter(({ kind }) => kind === "source" || kind === "config").length
  return { points: Math.min(15, count), max: 15, text: `${counted(count, "source or config file")} in one change` }
}

/** A handful of lines may well be covered by the tests that are there. */
const smallSource = 10

const untestedOf = ({ sourceLines, testLines, ratio }: Risk["tests"]): Reason => {
  const covered = ratio === null || sourceLines < smallSource ? 1 : Math.min(1, ratio / 0.5)
  const text =
    ratio === null
      ? "no source lines added"
      : `${counted(testLines, "test line")} added for ${counted(sourceLines, "source line")}`
  return { points: Math.round(20 * (1 - covered)), max: 20, text }
}

const unreadableOf = (files: readonly FileRisk[]): Reason => {
  const count = files.filter(({ binary, status }) => binary && status !== "deleted").length
  return { points: Math.min(15, count * 5), max: 15, text: `${counted(count, "binary file")} that nobody can review` }
}

const setUp =
  /(?:^|\/)(?:package\.json|dockerfile|[^/]*\.gemspec|cargo\.toml|pyproject\.toml|go\.mod)$|^\.github\/workflows\/|^\.ci\//i

const setUpOf = (files: readonly FileRisk[]): Reason => {
  const touched = files.filter(({ path, kind }) => kind === "lock" || setUp.test(path))
  return {
    points: touched.length > 0 ? 5 : 0,
    max: 5,
    text: `${counted(touched.length, "file")} on which it depends what is installed or built`,
  }
}

const historyOf = (files: readonly FileRisk[]): Reason => {
  const known = files.some(({ commits }) => commits !== null)
  const busy = files.filter(({ commits, kind }) => (commits ?? 0) >= 10 && kind === "source").length
  const text = known
    ? `${counted(busy, "source file")} that at least 10 of the last 200 commits touched`
    : "no repository given, so no history"
  return { points: Math.min(10, busy * 2), max: 10, text }
}
