import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { DiffError, type DiffErrorCode, diffLimits, parseDiff } from "../../examples/pr-review/diff.ts"
import { diffFile, renderDiff } from "./renderDiff.ts"

const fails = (text: string, code: DiffErrorCode, limits = diffLimits): DiffError => {
  try {
    parseDiff(text, limits)
  } catch (error) {
    if (!(error instanceof DiffError)) throw error
    expect(error.code).toBe(code)
    return error
  }
  throw new Error("parsed")
}

const file = (text: string) => {
  const { files } = parseDiff(text)
  expect(files).toHaveLength(1)
  return files[0]!
}

const hunk = "@@ -1,2 +1,2 @@ main\n one\n-two\n+2\n"

describe("what git writes is read back", () => {
  it("for any change: every path, status, mode, hunk, line and number", () => {
    fc.assert(
      fc.property(fc.array(diffFile, { minLength: 1, maxLength: 4 }), (files) => {
        expect(parseDiff(renderDiff(files)).files).toEqual(files)
      }),
      { numRuns: 500 },
    )
  })

  it("numbers added lines as in the new file and deleted ones as in the old", () => {
    const { hunks } = file(`diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -10,3 +20,3 @@ f()\n a\n-b\n+c\n d\n`)
    expect(hunks[0]!.section).toBe("f()")
    expect(hunks[0]!.lines.map(({ kind, oldLine, newLine }) => [kind, oldLine, newLine])).toEqual([
      ["context", 10, 20],
      ["deleted", 11, null],
      ["added", null, 21],
      ["context", 12, 22],
    ])
  })

  it("with a deleted line that looks like a file header", () => {
    const { deleted, hunks } = file(`diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +0,0 @@\n--- a/y\n-++ b/y\n`)
    expect(deleted).toBe(2)
    expect(hunks[0]!.lines[0]!.text).toBe("-- a/y")
  })

  it("with a path that is quoted, and one that has blanks", () => {
    expect(
      file('diff --git "a/caf\\303\\251 \\"x\\".md" "b/caf\\303\\251 \\"x\\".md"\nold mode 100644\nnew mode 100755\n')
        .path,
    ).toBe('café "x".md')
    expect(file("diff --git a/my file b/my file\nold mode 100644\nnew mode 100755\n").path).toBe("my file")
    expect(file(`diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n${hunk}`).path).toBe("a b")
  })

  it("with a binary patch, whose size is known", () => {
    const text =
      "diff --git a/x.png b/x.png\nnew file mode 100644\nindex 0000000..1111111\nGIT binary patch\nliteral 12\nTc$abc\n\nliteral 0\nHcmV?d00001\n\n"
    const [first, second] = parseDiff(`${text}diff --git a/y b/y\n--- a/y\n+++ b/y\n${hunk}`).files
    expect(first).toMatchObject({ path: "x.png", status: "added", binary: true, binaryBytes: 12 })
    expect(second).toMatchObject({ path: "y", binary: false })
  })

  it("without prefixes, and with mnemonic ones", () => {
    expect(file(`diff --git src/x src/x\n--- src/x\n+++ src/x\n${hunk}`).path).toBe("src/x")
    expect(file(`diff --git i/src/x w/src/x\n--- i/src/x\n+++ w/src/x\n${hunk}`).path).toBe("src/x")
    expect(file(`diff --git a/x a/x\n--- a/x\n+++ a/x\n${hunk}`).path).toBe("a/x")
  })

  it("from a mail of format-patch, with its trailer", () => {
    const mail = `From 1234 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n---\n x | 2 +-\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n${hunk}-- \n2.39.5\n\n`
    expect(file(mail)).toMatchObject({ path: "x", added: 1, deleted: 1 })
  })

  it("from plain diff -u, with times after the names", () => {
    expect(file(`--- old/x.c\t2024-01-01 00:00:00\n+++ old/x.c\t2024-01-02 00:00:00\n${hunk}`).path).toBe("old/x.c")
    expect(file(`--- /dev/null\n+++ b/x.c\n@@ -0,0 +1 @@\n+one\n`)).toMatchObject({
      path: "x.c",
      status: "added",
      oldPath: null,
    })
  })

  it("after an editor cut the blank from an empty line of context, and with the line ends of Windows", () => {
    expect(
      file("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n").hunks[0]!.lines[1],
    ).toMatchObject({ kind: "context", text: "" })
    expect(file(`diff --git a/x b/x\n--- a/x\n+++ b/x\n${hunk}`.replaceAll("\n", "\r\n"))).toMatchObject({
      path: "x",
      added: 1,
    })
  })
})

describe("what is no diff is refused by name", () => {
  it("no text, or other text", () => {
    fails("", "diff_empty")
    fails("Dear reviewer,\n\nplease look at my change.\n", "diff_empty")
  })

  it("a hunk that is cut off, with the line that it starts at", () => {
    const error = fails("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n a\n", "diff_malformed")
    expect(error.line).toBe(4)
    expect(error.message).toContain("4 old and 4 new lines are missing")
  })

  it("a hunk with a line too many on one side, or with none of a diff's lines", () => {
    expect(fails("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,1 +1,2 @@\n-a\n-b\n+c\n", "diff_malformed").line).toBe(6)
    expect(fails("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\nb\n", "diff_malformed").line).toBe(6)
  })

  it("a hunk header that makes no sense", () => {
    expect(fails("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ nonsense @@\n", "diff_malformed").line).toBe(4)
  })

  it("a combined diff, with what to do instead", () => {
    expect(
      fails("diff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1 -1 +1 @@@\n", "diff_malformed").message,
    ).toContain("main..HEAD")
  })

  it("more bytes, lines or files than can be reviewed", () => {
    const text = `diff --git a/x b/x\n--- a/x\n+++ b/x\n${hunk}`
    expect(fails(text, "diff_too_large", { ...diffLimits, maxBytes: 20 }).message).toContain("at most 20")
    fails(text, "diff_too_large", { ...diffLimits, maxLines: 4 })
    fails(text + text, "diff_too_large", { ...diffLimits, maxFiles: 1 })
    expect(parseDiff(text + text, { ...diffLimits, maxFiles: 2 }).files).toHaveLength(2)
  })

  it("and nothing but a DiffError is ever thrown, however a diff is damaged", () => {
    const damage = fc.record({ at: fc.nat(), remove: fc.nat(20), put: fc.string({ maxLength: 10 }) })
    fc.assert(
      fc.property(
        fc.array(diffFile, { minLength: 1, maxLength: 3 }),
        fc.array(damage, { maxLength: 3 }),
        (files, damages) => {
          let text = renderDiff(files)
          for (const { at, remove, put } of damages) {
            const start = at % (text.length + 1)
            text = text.slice(0, start) + put + text.slice(start + remove)
          }
          try {
            parseDiff(text)
          } catch (error) {
            expect(error).toBeInstanceOf(DiffError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
