/**
 * The change under review, as text: from a .diff or .patch file, from a range of a git repository, or the one that
 * ships with this example.
 *
 * The change's id is made from its content, so the same change is the same `change_request` for every process, and the
 * single-writer rule holds for it wherever it was read from.
 */
import { createHash } from "node:crypto"
import { readFile, stat } from "node:fs/promises"
import { basename, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { diffLimits } from "./diff.ts"
import { commitCounts, diffText, repositoryRoot, resolveRange, SourceError } from "./git.ts"

export type { SourceErrorCode } from "./git.ts"
export { SourceError } from "./git.ts"

export interface ChangeRequest {
  /** A path of a diff, or a git range; nothing is the change that ships with the example. */
  readonly target?: string
  /** The repository that a range is of. Default: `cwd`. */
  readonly repo?: string
  readonly cwd?: string
}

export interface Change {
  /** `change-` and 12 hex digits of the text's sha256: a valid key of a resource. */
  readonly id: string
  /** What the reader called it: the file's name or the range. */
  readonly title: string
  /** A valid key of a resource that names where the change is from. */
  readonly repository: string
  /** Where git can be asked about the past; null for a file. */
  readonly git: { readonly root: string; readonly base: string; readonly head: string } | null
  readonly text: string
}

export const defaultChange = fileURLToPath(new URL("./changes/default.diff", import.meta.url))

/** Throws `SourceError`. A diff that is there but makes no sense is found later, by `parseDiff`. */
export const loadChange = async ({ target, repo, cwd = process.cwd() }: ChangeRequest): Promise<Change> => {
  if (target === undefined && repo !== undefined) {
    throw new SourceError("invalid_range", "--repo says where, but not what: give a range too, such as HEAD~3..HEAD")
  }
  const path = target === undefined ? defaultChange : resolve(cwd, target)
  const isFile = repo === undefined && (await stat(path).catch(() => null))?.isFile() === true
  if (isFile) return fromFile(path)
  if (target === undefined || /\.(?:diff|patch)$/i.test(target))
    throw new SourceError("file_not_found", `there is no file ${path}`)
  return fromRange(resolve(cwd, repo ?? "."), target)
}

const fromFile = async (path: string): Promise<Change> => {
  const { size } = await stat(path)
  // Asked before the file is read: a disk image given by mistake must not end up in memory.
  if (size > diffLimits.maxBytes)
    throw new SourceError("change_too_large", `${path} is larger than ${diffLimits.maxBytes} bytes`)
  const text = await readFile(path, "utf8")
  if (text.trim() === "") throw new SourceError("empty_change", `${path} is empty`)
  return { id: changeId(text), title: basename(path), repository: repositoryKey(basename(path)), git: null, text }
}

const fromRange = async (dir: string, range: string): Promise<Change> => {
  const root = await repositoryRoot(dir)
  const commits = await resolveRange(root, range)
  const text = await diffText(root, commits, diffLimits.maxBytes)
  if (text === "") throw new SourceError("empty_change", `${range} changes nothing in ${root}`)
  return {
    id: changeId(text),
    title: range,
    repository: repositoryKey(basename(root)),
    git: { root, ...commits },
    text,
  }
}

export const changeId = (text: string): string =>
  `change-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`

/** A name as a key of a resource, whose letters are few (semantics.md §1). */
export const repositoryKey = (name: string): string => {
  const key = name
    .replace(/[^A-Za-z0-9_.-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 100)
  return key === "" ? "repository" : key
}

/** How often the change's files were touched before it; null where there is no repository to ask. */
export const changeHistory = async (change: Pick<Change, "git">): Promise<ReadonlyMap<string, number> | null> =>
  change.git === null ? null : commitCounts(change.git.root, change.git.base)
