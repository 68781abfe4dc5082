/**
 * Unified diffs, parsed: files, hunks and lines, each line with its number in the old and in the new file.
 *
 * Reads what git writes (renames, copies, mode changes, binary files, quoted paths, files without a last newline,
 * format-patch mails) and plain `diff -u` output. A hunk is read by the counts in its header and never by the look of
 * its lines, because a deleted line `-- x` looks exactly like a file header.
 *
 * A diff is input from outside: it is bounded, and what is wrong with it is a `DiffError` that names the line.
 */

import type { Prefixes } from "./paths.ts"
import { gitHeaderPaths, headerPath, unquote } from "./paths.ts"

export interface DiffLine {
  readonly kind: "context" | "added" | "deleted"
  readonly text: string
  /** The line's number in the old file; null for an added line. */
  readonly oldLine: number | null
  /** The line's number in the new file; null for a deleted line. */
  readonly newLine: number | null
  /** True where the file ends here without a newline. */
  readonly noNewline: boolean
}

export interface Hunk {
  readonly oldStart: number
  readonly oldLines: number
  readonly newStart: number
  readonly newLines: number
  /** What git prints after the second `@@`: usually the function that the hunk is in. */
  readonly section: string
  readonly lines: readonly DiffLine[]
}

export interface DiffFile {
  readonly status: "added" | "deleted" | "modified" | "renamed" | "copied"
  /** The path to talk about: the new one, or the old one of a deleted file. */
  readonly path: string
  readonly oldPath: string | null
  readonly newPath: string | null
  readonly oldMode: string | null
  readonly newMode: string | null
  readonly binary: boolean
  /** Size of the new binary content, where the diff carries it (`git diff --binary`). */
  readonly binaryBytes: number | null
  readonly hunks: readonly Hunk[]
  readonly added: number
  readonly deleted: number
}

export interface Diff {
  readonly files: readonly DiffFile[]
  readonly added: number
  readonly deleted: number
}

export interface DiffLimits {
  readonly maxBytes: number
  readonly maxFiles: number
  readonly maxLines: number
}

/** A change beyond this is not one that a review can speak about; it is refused, not cut off in silence. */
export const diffLimits: DiffLimits = { maxBytes: 8 * 1024 * 1024, maxFiles: 2_000, maxLines: 200_000 }

export type DiffErrorCode = "diff_too_large" | "diff_malformed" | "diff_empty"

/** The text is no diff that can be reviewed. `line` is the line of the diff (from 1) that is to blame. */
export class DiffError extends Error {
  override readonly name = "DiffError"
  readonly code: DiffErrorCode
  readonly line: number | null
  constructor(code: DiffErrorCode, message: string, line: number | null = null) {
    super(line === null ? message : `line ${line}: ${message}`)
    this.code = code
    this.line = line
  }
}

/** Throws `DiffError`: `diff_too_large`, `diff_malformed`, or `diff_empty` where the text holds no changed file. */
export const parseDiff = (text: string, limits: DiffLimits = diffLimits): Diff => {
  const bytes = Buffer.byteLength(text)
  if (bytes > limits.maxBytes) throw tooLarge(bytes, "bytes", limits.maxBytes)
  const lines = text.split("\n")
  if (lines.length > limits.maxLines) throw tooLarge(lines.length, "lines", limits.maxLines)
  const files: DiffFile[] = []
  const reader = new Reader(lines)
  for (let file = nextFile(reader); file !== null; file = nextFile(reader)) {
    if (files.length === limits.maxFiles) throw tooLarge(files.length + 1, "files or more", limits.maxFiles)
    files.push(file)
  }
  if (files.length === 0) throw new DiffError("diff_empty", "no changed file found: is this the output of git diff?")
  return { files, added: total(files, "added"), deleted: total(files, "deleted") }
}

const total = (files: readonly DiffFile[], of: "added" | "deleted"): number =>
  files.reduce((sum, file) => sum + file[of], 0)

const tooLarge = (size: number, unit: string, max: number): DiffError =>
  new DiffError("diff_too_large", `the diff has ${size} ${unit}, and at most ${max} can be reviewed`)

/** A position in the lines of the diff. */
class Reader {
  readonly #lines: readonly string[]
  #next = 0
  constructor(lines: readonly string[]) {
    // The newline that ends the last line makes no line of its own.
    this.#lines = lines.at(-1) === "" ? lines.slice(0, -1) : lines
  }
  /** The number of the line that `peek` shows, from 1. */
  get line(): number {
    return this.#next + 1
  }
  peek(ahead = 0): string | null {
    return this.#lines[this.#next + ahead] ?? null
  }
  /** A header as it reads without the carriage return of a file that came through Windows. */
  header(ahead = 0): string | null {
    return this.peek(ahead)?.replace(/\r$/, "") ?? null
  }
  skip(): void {
    this.#next += 1
  }
}

/** What the headers of one file have said so far. */
interface Draft {
  oldPath: string | null
  newPath: string | null
  status: DiffFile["status"]
  oldMode: string | null
  newMode: string | null
  binary: boolean
  binaryBytes: number | null
  prefixes: Prefixes | null
  readonly hunks: Hunk[]
}

const startsFile = (reader: Reader): "git" | "plain" | null => {
  const line = reader.header()
  if (line === null) return null
  if (line.startsWith("diff --git ")) return "git"
  if (/^diff --(?:cc|combined) /.test(line)) {
    const why = "a combined diff of a merge has two old sides and cannot be reviewed; give a range such as main..HEAD"
    throw new DiffError("diff_malformed", why, reader.line)
  }
  const plain = line.startsWith("--- ") && reader.header(1)?.startsWith("+++ ") && reader.header(2)?.startsWith("@@ ")
  return plain ? "plain" : null
}

/** Everything between two files (mail headers, commit messages, `index` of a tool) is not part of the change. */
const nextFile = (reader: Reader): DiffFile | null => {
  while (reader.peek() !== null) {
    const start = startsFile(reader)
    if (start !== null) return readFile(reader, start)
    reader.skip()
  }
  return null
}

const readFile = (reader: Reader, start: "git" | "plain"): DiffFile => {
  const at = reader.line
  const draft: Draft = {
    oldPath: null,
    newPath: null,
    status: "modified",
    oldMode: null,
    newMode: null,
    binary: false,
    binaryBytes: null,
    prefixes: null,
    hunks: [],
  }
  if (start === "git") {
    const paths = gitHeaderPaths((reader.header() ?? "").slice("diff --git ".length))
    draft.oldPath = paths.oldPath
    draft.newPath = paths.newPath
    draft.prefixes = paths.prefixes
    reader.skip()
  }
  readHeaders(reader, draft)
  while (reader.header()?.startsWith("@@")) draft.hunks.push(readHunk(reader))
  return finish(draft, at)
}

const readHeaders = (reader: Reader, draft: Draft): void => {
  for (let line = reader.header(); line !== null; line = reader.header()) {
    if (line.startsWith("@@")) return
    if (line.startsWith("--- ") && reader.header(1)?.startsWith("+++ ")) {
      readNames(line.slice(4), (reader.header(1) ?? "").slice(4), draft)
      reader.skip()
      reader.skip()
      return
    }
    if (!readExtendedHeader(line, draft)) return
    reader.skip()
    if (line === "GIT binary patch") {
      readBinaryPatch(reader, draft)
      return
    }
  }
}

/** `--- old` and `+++ new` settle what the first line left open: a name with spaces is ambiguous there. */
const readNames = (oldRaw: string, newRaw: string, draft: Draft): void => {
  const plainPrefixes = /^"?a\//.test(oldRaw) || /^"?b\//.test(newRaw) ? { old: "a/", new: "b/" } : null
  const prefixes = draft.prefixes ?? plainPrefixes
  const oldPath = headerPath(oldRaw, prefixes?.old ?? "")
  const newPath = headerPath(newRaw, prefixes?.new ?? "")
  if (oldPath === null) draft.status = "added"
  else draft.oldPath = oldPath
  if (newPath === null) draft.status = "deleted"
  else draft.newPath = newPath
}

/** True where the line is one of git's extended headers. */
const readExtendedHeader = (line: string, draft: Draft): boolean => {
  const header =
    /^(old mode|new mode|new file mode|deleted file mode|rename from|rename to|copy from|copy to) (.+)$/.exec(line)
  if (header === null) {
    if (/^Binary files .* differ$/.test(line) || line === "GIT binary patch") draft.binary = true
    else if (line.startsWith("index ")) draft.newMode ??= / (\d{6})$/.exec(line)?.[1] ?? null
    else if (!/^(?:similarity|dissimilarity) index /.test(line)) return false
    return true
  }
  const value = header[2] ?? ""
  switch (header[1]) {
    case "old mode":
      draft.oldMode = value
      break
    case "new mode":
      draft.newMode = value
      break
    case "new file mode":
      draft.status = "added"
      draft.newMode = value
      break
    case "deleted file mode":
      draft.status = "deleted"
      draft.oldMode = value
      break
    case "rename from":
    case "copy from":
      draft.status = line.startsWith("rename") ? "renamed" : "copied"
      draft.oldPath = unquote(value)
      break
    default:
      draft.newPath = unquote(value)
  }
  return true
}

/** The content is base85 and of no interest; its length says how big the new file is. */
const readBinaryPatch = (reader: Reader, draft: Draft): void => {
  for (let line = reader.header(); line !== null && !line.startsWith("diff --git "); line = reader.header()) {
    const size = /^literal (\d{1,15})$/.exec(line)?.[1]
    // The first block is the new content, the second one is for applying the patch in reverse.
    if (size !== undefined) draft.binaryBytes ??= Number(size)
    reader.skip()
  }
}

const hunkHeader = /^@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(.*)$/

const readHunk = (reader: Reader): Hunk => {
  const at = reader.line
  const header = hunkHeader.exec(reader.header() ?? "")
  if (header === null) throw new DiffError("diff_malformed", "this hunk header cannot be read", at)
  reader.skip()
  const [oldStart, oldLines, newStart, newLines] = [header[1], header[2] ?? "1", header[3], header[4] ?? "1"].map(
    Number,
  )
  const counts = { oldStart: oldStart ?? 0, oldLines: oldLines ?? 0, newStart: newStart ?? 0, newLines: newLines ?? 0 }
  const lines = readHunkLines(reader, counts, at)
  return { ...counts, section: (header[5] ?? "").trim(), lines }
}

type Counts = Pick<Hunk, "oldStart" | "oldLines" | "newStart" | "newLines">

const readHunkLines = (reader: Reader, counts: Counts, at: number): DiffLine[] => {
  const lines: DiffLine[] = []
  let oldLine = counts.oldStart
  let newLine = counts.newStart
  const oldEnd = oldLine + counts.oldLines
  const newEnd = newLine + counts.newLines
  while (oldLine < oldEnd || newLine < newEnd) {
    const raw = reader.peek()
    if (raw === null) {
      const left = `${oldEnd - oldLine} old and ${newEnd - newLine} new lines are missing`
      throw new DiffError("diff_malformed", `the diff ends inside of the hunk that starts here: ${left}`, at)
    }
    const kind = lineKind(raw)
    const fits = kind !== null && (kind === "added" || oldLine < oldEnd) && (kind === "deleted" || newLine < newEnd)
    if (!fits) throw new DiffError("diff_malformed", `this line does not fit the hunk of line ${at}`, reader.line)
    reader.skip()
    const noNewline = reader.peek()?.startsWith("\\") ?? false
    if (noNewline) reader.skip()
    lines.push({
      kind,
      text: raw.slice(1),
      oldLine: kind === "added" ? null : oldLine++,
      newLine: kind === "deleted" ? null : newLine++,
      noNewline,
    })
  }
  return lines
}

const lineKind = (raw: string): DiffLine["kind"] | null => {
  if (raw.startsWith("+")) return "added"
  if (raw.startsWith("-")) return "deleted"
  // Editors and mail programs cut the blank that starts an empty line of context.
  if (raw.startsWith(" ") || raw === "" || raw === "\r") return "context"
  return null
}

const finish = (draft: Draft, at: number): DiffFile => {
  const oldPath = draft.status === "added" ? null : draft.oldPath
  const newPath = draft.status === "deleted" ? null : draft.newPath
  const path = newPath ?? oldPath
  if (path === null || path === "") throw new DiffError("diff_malformed", "this file has no name", at)
  let added = 0
  let deleted = 0
  for (const hunk of draft.hunks) {
    for (const line of hunk.lines) {
      if (line.kind === "added") added += 1
      if (line.kind === "deleted") deleted += 1
    }
  }
  const { status, oldMode, newMode, binary, binaryBytes, hunks } = draft
  return { status, path, oldPath, newPath, oldMode, newMode, binary, binaryBytes, hunks, added, deleted }
}
