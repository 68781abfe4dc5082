/**
 * git, called through `execFile` (no shell) and made deterministic: no colours, pagers, external diffs, prompts or
 * locks, whatever the user's configuration says. Errors are told apart by exit code, never by git's text, which
 * changes with version and language; the text is only passed on to the reader.
 */
import { execFile } from "node:child_process"
import { stat } from "node:fs/promises"

export type SourceErrorCode =
  | "file_not_found"
  | "directory_not_found"
  | "git_missing"
  | "not_a_repository"
  | "invalid_range"
  | "unknown_revision"
  | "empty_change"
  | "change_too_large"
  | "git_timeout"
  | "git_failed"

/** The change cannot be read. The message says what to do about it. */
export class SourceError extends Error {
  override readonly name = "SourceError"
  readonly code: SourceErrorCode
  constructor(code: SourceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const timeoutMs = 60_000
const environment = {
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  GIT_PAGER: "cat",
  LC_ALL: "C",
}

interface Answer {
  /** git's exit code. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs git in `dir`. A non-zero exit is an answer; that git did not run, or said too much, is a `SourceError`. */
export const git = async (dir: string, args: readonly string[], maxBytes: number): Promise<Answer> => {
  await requireDirectory(dir)
  return new Promise((resolve, reject) => {
    const options = {
      cwd: dir,
      env: { ...process.env, ...environment },
      maxBuffer: maxBytes,
      timeout: timeoutMs,
      encoding: "utf8",
    } as const
    execFile("git", args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr })
      else if (error.code === "ENOENT")
        reject(new SourceError("git_missing", "git is not installed, or not on PATH", { cause: error }))
      else if (String(error.code) === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER")
        reject(new SourceError("change_too_large", `the change is larger than ${maxBytes} bytes`, { cause: error }))
      else if (error.killed === true)
        reject(new SourceError("git_timeout", `git ${args[0]} took more than ${timeoutMs / 1000} s`, { cause: error }))
      else if (typeof error.code === "number") resolve({ code: error.code, stdout, stderr })
      else reject(new SourceError("git_failed", `git ${args[0]} did not run: ${error.message}`, { cause: error }))
    })
  })
}

/** execFile reports a missing `cwd` as a missing program; this tells the two apart. */
const requireDirectory = async (dir: string): Promise<void> => {
  const found = await stat(dir).catch(() => null)
  if (found === null || !found.isDirectory()) throw new SourceError("directory_not_found", `${dir} is not a directory`)
}

/** `git` for commands that may only fail where git itself is in trouble. */
const gitOk = async (dir: string, args: readonly string[], maxBytes: number): Promise<string> => {
  const answer = await git(dir, args, maxBytes)
  if (answer.code !== 0) throw new SourceError("git_failed", `git ${args[0]} failed: ${firstLine(answer.stderr)}`)
  return answer.stdout
}

const firstLine = (text: string): string => text.trim().split("\n")[0] ?? ""
const smallBytes = 64 * 1024

/** The top folder of the repository that `dir` is in. */
export const repositoryRoot = async (dir: string): Promise<string> => {
  const answer = await git(dir, ["rev-parse", "--show-toplevel"], smallBytes)
  const root = answer.stdout.replace(/\n$/, "")
  if (answer.code === 0 && root !== "") return root
  throw new SourceError(
    "not_a_repository",
    `${dir} is not in a git work tree (${firstLine(answer.stderr) || "bare repository"})`,
  )
}

/** Two commits: what a range means once its names are resolved. */
export interface Commits {
  readonly base: string
  readonly head: string
}

/**
 * `A..B` and `A...B` (from their common ancestor), where an empty side is HEAD, as git has it. A single revision is
 * refused: `git diff A` would compare it with the work tree, which is not a change that anybody can look up later.
 */
export const resolveRange = async (root: string, range: string): Promise<Commits> => {
  const sides = /^([^\s]*?)(\.{2,3})([^\s.][^\s]*|)$/.exec(range)
  const [left, dots, right] = [sides?.[1], sides?.[2], sides?.[3]]
  if (left === undefined || right === undefined || range.startsWith("-") || (left === "" && right === "")) {
    const hint =
      /^[^\s-][^\s]*$/.test(range) && !range.includes("..") ? `; for that commit alone: ${range}~1..${range}` : ""
    throw new SourceError("invalid_range", `"${range}" is not a range such as HEAD~3..HEAD${hint}`)
  }
  const base = await resolveCommit(root, left || "HEAD")
  const head = await resolveCommit(root, right || "HEAD")
  if (dots === "..") return { base, head }
  const answer = await git(root, ["merge-base", base, head], smallBytes)
  if (answer.code !== 0)
    throw new SourceError("unknown_revision", `${left || "HEAD"} and ${right || "HEAD"} have no common ancestor`)
  return { base: answer.stdout.trim(), head }
}

const resolveCommit = async (root: string, revision: string): Promise<string> => {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`]
  const answer = await git(root, args, smallBytes)
  const commit = answer.stdout.trim()
  if (answer.code === 0 && /^[0-9a-f]{40,64}$/.test(commit)) return commit
  const why = "if the clone is shallow, it may lack the older commits"
  throw new SourceError("unknown_revision", `${revision} names no commit of the repository ${root} (${why})`)
}

/** The diff between two commits, with renames found, in a form that does not depend on anybody's configuration. */
export const diffText = async (root: string, { base, head }: Commits, maxBytes: number): Promise<string> => {
  const form = ["--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/"]
  return gitOk(root, ["-c", "core.quotePath=true", "diff", ...form, "--submodule=short", base, head, "--"], maxBytes)
}

/**
 * How many of the last `limit` commits up to `from` touched each file. Files that a merge touched count once, through
 * the commits that it merged.
 */
export const commitCounts = async (root: string, from: string, limit = 200): Promise<ReadonlyMap<string, number>> => {
  const args = ["log", "-z", "--format=", "--name-only", "--no-renames", "--no-merges", "-n", String(limit), from, "--"]
  const text = await gitOk(root, args, 32 * 1024 * 1024)
  const counts = new Map<string, number>()
  for (const entry of text.split("\0")) {
    // Some versions of git write a newline between two commits, in front of the first name, even with -z.
    const path = entry.replace(/^\n+/, "")
    if (path !== "") counts.set(path, (counts.get(path) ?? 0) + 1)
  }
  return counts
}
