import { execFileSync } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ArtifactError, readArtifact, writeArtifact } from "../../examples/pr-review/artifact.ts"
import { parseDiff } from "../../examples/pr-review/diff.ts"
import { changeHistory, loadChange, repositoryKey, SourceError } from "../../examples/pr-review/source.ts"

let home: string
let repo: string

const git = (...args: string[]): void => {
  const identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
  execFileSync("git", [...identity, ...args], { cwd: repo, stdio: "pipe" })
}
const commit = async (files: Readonly<Record<string, string>>): Promise<void> => {
  for (const [name, text] of Object.entries(files)) await writeFile(join(repo, name), text)
  git("add", "--all")
  git("commit", "--quiet", "--message", "a commit")
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "handrail-pr-review-"))
  repo = join(home, "my repo")
  await mkdir(repo)
  git("init", "--quiet", "--initial-branch=main")
  await commit({ "a.txt": "one\n", "b.txt": "b\n" })
  await commit({ "a.txt": "two\n" })
  await commit({ "a.txt": "three\n", "c é.txt": "c\n" })
  // Settings that a user may well have, and that must not show in the diff.
  git("config", "diff.noprefix", "true")
  git("config", "color.ui", "always")
})
afterAll(() => rm(home, { recursive: true, force: true }))

const refused = async (request: Parameters<typeof loadChange>[0]): Promise<SourceError> => {
  const error: unknown = await loadChange(request).then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(SourceError)
  if (!(error instanceof SourceError)) throw new Error("loaded")
  return error
}

describe("a change is read", () => {
  it("from the file that ships with the example, by default", async () => {
    const change = await loadChange({})
    expect(change).toMatchObject({ title: "default.diff", git: null })
    expect(change.id).toMatch(/^change-[0-9a-f]{12}$/)
    expect(await changeHistory(change)).toBeNull()
  })

  it("from a git range, whatever git's settings say", async () => {
    const change = await loadChange({ target: "HEAD~1..HEAD", repo })
    expect(parseDiff(change.text).files.map(({ path }) => path)).toEqual(["a.txt", "c é.txt"])
    expect(change).toMatchObject({ title: "HEAD~1..HEAD", repository: "my-repo" })
    expect((await loadChange({ target: "HEAD~1..", cwd: repo })).id).toBe(change.id)
    expect((await loadChange({ target: "main~1...main", repo: "my repo", cwd: home })).id).toBe(change.id)
  })

  it("with the history before it: how many commits touched each file", async () => {
    const change = await loadChange({ target: "HEAD~1..HEAD", repo })
    expect(await changeHistory(change)).toEqual(
      new Map([
        ["a.txt", 2],
        ["b.txt", 1],
      ]),
    )
  })

  it("with an id that depends on its content alone", async () => {
    const { text, id } = await loadChange({ target: "HEAD~1..HEAD", repo })
    await writeFile(join(home, "same.patch"), text)
    expect((await loadChange({ target: "same.patch", cwd: home })).id).toBe(id)
  })
})

describe("what cannot be read is refused by name", () => {
  it("files that are not there, are empty or are too large", async () => {
    expect((await refused({ target: "nope.diff" })).code).toBe("file_not_found")
    await writeFile(join(home, "empty.diff"), "\n")
    expect((await refused({ target: "empty.diff", cwd: home })).code).toBe("empty_change")
    await writeFile(join(home, "large.diff"), Buffer.alloc(9 * 1024 * 1024))
    expect((await refused({ target: "large.diff", cwd: home })).code).toBe("change_too_large")
  })

  it("folders that are no repository, or are not there", async () => {
    expect((await refused({ target: "HEAD~1..HEAD", repo: home })).code).toBe("not_a_repository")
    expect((await refused({ target: "HEAD~1..HEAD", repo: join(home, "nope") })).code).toBe("directory_not_found")
  })

  it("revisions that are not there, and ranges that change nothing", async () => {
    expect((await refused({ target: "HEAD~99..HEAD", repo })).message).toContain("HEAD~99 names no commit")
    expect((await refused({ target: "HEAD..HEAD", repo })).code).toBe("empty_change")
  })

  it("what is no range, with the range that may be meant", async () => {
    expect((await refused({ target: "HEAD", repo })).message).toContain("HEAD~1..HEAD")
    expect((await refused({ repo })).code).toBe("invalid_range")
    for (const target of ["..", "-x..HEAD", "a b..c", "--output=/tmp/x..HEAD"])
      expect((await refused({ target, repo })).code).toBe("invalid_range")
    expect((await refused({ target: "HEAD..--output=x", repo })).code).toBe("unknown_revision")
  })

  it("anything, where git is not installed", async () => {
    const before = process.env.PATH
    process.env.PATH = home
    try {
      expect((await refused({ target: "HEAD~1..HEAD", repo })).code).toBe("git_missing")
    } finally {
      process.env.PATH = before
    }
  })
})

it("a repository's name becomes a key that resources accept", () => {
  expect(["my repo", ".dotfiles", "é", "a/b"].map(repositoryKey)).toEqual(["my-repo", "dotfiles", "repository", "a-b"])
})

describe("an artifact", () => {
  it("is read back only if it is what was handed over", async () => {
    const path = join(home, "findings.json")
    const artifact = await writeArtifact(path, "[]", "application/json")
    expect(artifact).toMatchObject({
      mediaType: "application/json",
      hash: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
    expect(await readArtifact(artifact)).toBe("[]")
    await writeFile(path, "[1]")
    await expect(readArtifact(artifact)).rejects.toThrow(ArtifactError)
    await rm(path)
    await expect(readArtifact(artifact)).rejects.toThrow(ArtifactError)
    await expect(readArtifact({ uri: "https://example.com/x" })).rejects.toThrow(ArtifactError)
  })
})
