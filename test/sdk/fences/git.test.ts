/** Fencing of git refs: real repositories, one beside the caller and a remote one. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { type Fence, FenceError, pushGitRef, updateGitRef } from "../../../src/fences.ts"
import { arrivals, fence, landed, landing, runs } from "./fixtures.ts"

const ref = "refs/heads/release"
const identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]

const repositories = () => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-git-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const git = (where: string, ...args: ReadonlyArray<string>): string =>
    execFileSync("git", [...identity, ...args], {
      cwd: join(folder, where),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim()
  git(".", "init", "--quiet", "--bare", "remote")
  git(".", "clone", "--quiet", "remote", "local")
  git(".", "clone", "--quiet", "remote", "other")
  const tree = git("local", "mktree")
  const commit = (message: string): string => {
    const id = git("local", "commit-tree", tree, "-m", message)
    return id
  }
  const commits = ["a", "b", "c", "d", "e", "f"].map(commit)
  const first = commits[0] ?? ""
  return {
    local: join(folder, "local"),
    other: join(folder, "other"),
    git,
    commits,
    first,
    commitOf: (n: number) => commits[n % 6] ?? "",
  }
}

const ways = [
  {
    way: "updateGitRef",
    target: "local",
    move: (local: string, newId: string, by: Fence, oldId?: string | null) =>
      updateGitRef({ directory: local, ref, newId, ...(oldId === undefined ? {} : { oldId }) }, by),
  },
  {
    way: "pushGitRef",
    target: "remote",
    move: (local: string, newId: string, by: Fence, oldId?: string | null) =>
      pushGitRef({ directory: local, remote: "origin", ref, newId, ...(oldId === undefined ? {} : { oldId }) }, by),
  },
]

describe.each(ways)("$way", ({ target, move }) => {
  test("one after another, exactly the updates land whose token is not older than all before", async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, async (tokens) => {
        const { local, git, commitOf } = repositories()
        const found: Array<boolean> = []
        for (const [index, token] of tokens.entries())
          found.push(await landed(() => move(local, commitOf(index), fence(token))))
        expect(found).toEqual(landing(tokens))
        expect(git(target, "rev-parse", ref)).toBe(commitOf(landing(tokens).lastIndexOf(true)))
      }),
      { ...runs(3), endOnFailure: true },
    )
  })

  test("at once: the greatest token's update is there in the end", async () => {
    const { local, git, commitOf } = repositories()
    const tokens = [3, 1, 4, 2, 5]
    const ends = await Promise.allSettled(tokens.map((token) => move(local, commitOf(token), fence(token))))
    // Who lost too often says so, and may try again.
    if (ends[4]?.status !== "fulfilled") await move(local, commitOf(5), fence(5))
    expect(git(target, "rev-parse", ref)).toBe(commitOf(5))
    for (const token of [1, 2, 3, 4])
      await expect(move(local, commitOf(token), fence(token))).rejects.toMatchObject({
        name: "StaleFenceError",
        newest: 5,
      })
    expect(git(target, "rev-parse", ref)).toBe(commitOf(5))
  })

  test("an expected value is compared: another one is not overwritten", async () => {
    const { local, git, commits, first } = repositories()
    await move(local, first, fence(1), null)
    await expect(move(local, commits[1] ?? "", fence(2), commits[2])).rejects.toMatchObject({ code: "moved" })
    await expect(move(local, commits[1] ?? "", fence(2), null)).rejects.toMatchObject({ code: "moved" })
    expect(git(target, "rev-parse", ref)).toBe(first)
    await move(local, commits[1] ?? "", fence(1), first)
    expect(git(target, "rev-parse", ref)).toBe(commits[1])
  })

  test("names with capitals, dots and colons have a place of their own", async () => {
    const { local, git, first } = repositories()
    const by: Fence = { name: "Env:a", key: "x..y.lock", token: 4 }
    await move(local, first, by)
    expect(git(target, "for-each-ref", "--format=%(refname)", "refs/handrail")).toBe(
      "refs/handrail/fences/%45nv%3aa/x%2e%2ey%2elock",
    )
  })

  test("what git refuses moves neither the ref nor the token", async () => {
    const { local, git, first } = repositories()
    await expect(move(local, "0".repeat(39).padEnd(40, "1"), fence(7))).rejects.toMatchObject({ code: "failed" })
    await move(local, first, fence(1))
    expect(git(target, "rev-parse", ref)).toBe(first)
  })

  test.each([
    ["main"],
    ["--all"],
    ["refs/heads/a b"],
    ["refs/heads/*"],
    ["refs/handrail/fences/a/b"],
    ["refs/heads/a\nb"],
  ])("%j is no ref", async (wrong) => {
    const call = updateGitRef({ directory: tmpdir(), ref: wrong, newId: "a".repeat(40) }, fence(1))
    await expect(call).rejects.toBeInstanceOf(FenceError)
  })
})

test("a writer that looked, and froze until a newer one had set the ref to the same commit again, is refused", async () => {
  const { local, other, git, first } = repositories()
  await pushGitRef({ directory: local, remote: "origin", ref, newId: first }, fence(1))
  // What the frozen one found: the ref at `first`, under a lease on it and on its own token's ref.
  const place = "refs/handrail/fences/environment/prod"
  const seen = git("remote", "rev-parse", place)
  git("other", "fetch", "--quiet", "origin", ref)
  await pushGitRef({ directory: other, remote: "origin", ref, newId: first }, fence(2))
  expect(() =>
    git("local", "push", "--quiet", "--atomic", `--force-with-lease=${place}:${seen}`, "origin", `${seen}:${place}`),
  ).toThrow()
  await expect(pushGitRef({ directory: local, remote: "origin", ref, newId: first }, fence(1))).rejects.toMatchObject({
    newest: 2,
  })
})

test("inside a hook of another repository the one that is named is meant", async () => {
  const { local, other, git, first } = repositories()
  vi.stubEnv("GIT_DIR", join(other, ".git"))
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
  await updateGitRef({ directory: local, ref, newId: first }, fence(1))
  vi.unstubAllEnvs()
  expect(git("local", "rev-parse", ref)).toBe(first)
})

test("a remote that is not there, and a signal that aborts, are told as they are", async () => {
  const { local, first } = repositories()
  const push = { directory: local, remote: join(local, "none"), ref, newId: first }
  await expect(pushGitRef(push, fence(1))).rejects.toMatchObject({ code: "failed" })
  const signal = AbortSignal.abort(new Error("killed"))
  await expect(updateGitRef({ directory: local, ref, newId: first, signal }, fence(1))).rejects.toThrow("killed")
})
