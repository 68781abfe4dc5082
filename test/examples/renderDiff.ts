/** Changes as a model, and the text that git would write for them: what the parser's property test starts from. */
import fc from "fast-check"
import type { DiffFile, DiffLine, Hunk } from "../../examples/pr-review/diff.ts"

/** A path as git writes it: quoted where it holds a quote, a backslash, a control character or a byte beyond ASCII. */
export const quotePath = (path: string): string => {
  let quoted = ""
  for (const byte of Buffer.from(path)) {
    if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`
    else if (byte < 0x20 || byte >= 0x7f) quoted += `\\${byte.toString(8).padStart(3, "0")}`
    else quoted += String.fromCharCode(byte)
  }
  return quoted === path ? path : `"${quoted}"`
}

const named = (prefix: string, path: string | null): string => {
  if (path === null) return "/dev/null"
  const quoted = quotePath(`${prefix}${path}`)
  return path.includes(" ") ? `${quoted}\t` : quoted
}

const range = (start: number, lines: number): string => (lines === 1 ? `${start}` : `${start},${lines}`)
const signs = { context: " ", added: "+", deleted: "-" } as const

const renderHunk = (hunk: Hunk): string[] => [
  `@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@${hunk.section === "" ? "" : ` ${hunk.section}`}`,
  ...hunk.lines.flatMap(({ kind, text, noNewline }) => [
    `${signs[kind]}${text}`,
    ...(noNewline ? ["\\ No newline at end of file"] : []),
  ]),
]

const renderFile = (file: DiffFile): string[] => {
  const [oldName, newName] = [file.oldPath ?? file.path, file.newPath ?? file.path]
  const lines = [`diff --git ${quotePath(`a/${oldName}`)} ${quotePath(`b/${newName}`)}`]
  const moved = file.status === "renamed" ? "rename" : "copy"
  if (file.status === "added") lines.push(`new file mode ${file.newMode}`)
  if (file.status === "deleted") lines.push(`deleted file mode ${file.oldMode}`)
  if (file.oldMode !== null && file.newMode !== null) lines.push(`old mode ${file.oldMode}`, `new mode ${file.newMode}`)
  if (file.status === "renamed" || file.status === "copied")
    lines.push("similarity index 90%", `${moved} from ${quotePath(oldName)}`, `${moved} to ${quotePath(newName)}`)
  if (file.binary) return [...lines, "index 1111111..2222222", `Binary files ${oldName} and ${newName} differ`]
  if (file.hunks.length === 0) return lines
  const names = [`--- ${named("a/", file.oldPath)}`, `+++ ${named("b/", file.newPath)}`]
  return [...lines, "index 1111111..2222222", ...names, ...file.hunks.flatMap(renderHunk)]
}

export const renderDiff = (files: readonly DiffFile[]): string =>
  files
    .flatMap(renderFile)
    .map((line) => `${line}\n`)
    .join("")

/** Lines that look like something else: the parser must go by the hunk's counts. */
const trickyLine = fc.constantFrom(
  "",
  "-- a/x",
  "++ b/x",
  "diff --git a/x b/x",
  "@@ -1,2 +3,4 @@",
  "\\ No newline at end of file",
  "rename from x",
  "-- ",
  "\r",
  "Binary files x and y differ",
)
const lineText = fc.oneof(
  { weight: 2, arbitrary: fc.string({ maxLength: 30 }).map((text) => text.replace(/\n/g, "")) },
  { weight: 1, arbitrary: trickyLine },
)

const pathPart = fc
  .string({ unit: fc.constantFrom(...'ab.- é"\\\t\u0007世🙂_1'.split(/(?:)/u)), minLength: 1, maxLength: 8 })
  .filter((part) => part !== "." && part !== "..")
const path = fc.array(pathPart, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"))

interface HunkSeed {
  readonly gap: number
  readonly section: string
  readonly lines: readonly { readonly kind: DiffLine["kind"]; readonly text: string; readonly noNewline: boolean }[]
}
const hunkSeed = (kinds: readonly DiffLine["kind"][]): fc.Arbitrary<HunkSeed> =>
  fc.record({
    gap: fc.nat(50),
    section: fc.constantFrom("", "function f() {", "@@", "class A"),
    lines: fc.array(fc.record({ kind: fc.constantFrom(...kinds), text: lineText, noNewline: fc.boolean() }), {
      minLength: 1,
      maxLength: 8,
    }),
  })

/** Numbers the lines of the hunks one after the other, as they would stand in the two files. */
const numberHunks = (seeds: readonly HunkSeed[]): Hunk[] => {
  let [oldNext, newNext] = [1, 1]
  return seeds.map(({ gap, section, lines: drafts }) => {
    const [oldStart, newStart] = [oldNext + gap, newNext + gap]
    let [oldLine, newLine] = [oldStart, newStart]
    const lines = drafts.map((draft) => ({
      ...draft,
      oldLine: draft.kind === "added" ? null : oldLine++,
      newLine: draft.kind === "deleted" ? null : newLine++,
    }))
    ;[oldNext, newNext] = [oldLine, newLine]
    return { oldStart, oldLines: oldLine - oldStart, newStart, newLines: newLine - newStart, section, lines }
  })
}

const count = (hunks: readonly Hunk[], kind: DiffLine["kind"]): number =>
  hunks.reduce((sum, hunk) => sum + hunk.lines.filter((line) => line.kind === kind).length, 0)

const withHunks = (kinds: readonly DiffLine["kind"][], minLength: number) =>
  fc.array(hunkSeed(kinds), { minLength, maxLength: 3 }).map(numberHunks)

type Form = Pick<DiffFile, "status" | "oldMode" | "newMode" | "binary">
const forms: fc.Arbitrary<Form & { readonly minHunks: number }> = fc.constantFrom(
  { status: "modified", oldMode: null, newMode: null, binary: false, minHunks: 1 },
  { status: "modified", oldMode: "100644", newMode: "100755", binary: false, minHunks: 0 },
  { status: "modified", oldMode: null, newMode: null, binary: true, minHunks: 0 },
  { status: "added", oldMode: null, newMode: "100644", binary: false, minHunks: 0 },
  { status: "added", oldMode: null, newMode: "100644", binary: true, minHunks: 0 },
  { status: "deleted", oldMode: "100644", newMode: null, binary: false, minHunks: 0 },
  { status: "renamed", oldMode: null, newMode: null, binary: false, minHunks: 0 },
  { status: "copied", oldMode: null, newMode: null, binary: false, minHunks: 0 },
)

const kindsOf = (status: DiffFile["status"]): readonly DiffLine["kind"][] => {
  if (status === "added") return ["added"]
  return status === "deleted" ? ["deleted"] : ["context", "added", "deleted"]
}

export const diffFile: fc.Arbitrary<DiffFile> = forms.chain(({ minHunks, ...form }) =>
  fc
    .record({ path, other: path, hunks: form.binary ? fc.constant([]) : withHunks(kindsOf(form.status), minHunks) })
    .map(({ path: name, other, hunks }) => {
      const moved = form.status === "renamed" || form.status === "copied"
      return {
        ...form,
        path: name,
        oldPath: form.status === "added" ? null : moved ? other : name,
        newPath: form.status === "deleted" ? null : name,
        binaryBytes: null,
        hunks,
        added: count(hunks, "added"),
        deleted: count(hunks, "deleted"),
      }
    }),
)
