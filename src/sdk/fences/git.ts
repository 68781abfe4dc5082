/**
 * Runs git, and reads what the fencing of a ref needs. Nothing here reads git's messages: they are only shown.
 *
 * The token of a resource lies in a ref of its own, `refs/handrail/fences/NAME/KEY`, that points to a blob with the token and a
 * number of its own for each write. So every write moves that ref, and a compare-and-swap on it always means something.
 */
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { Schema } from "effect"
import { type Fence, Fence as FenceSchema, type ResourceRef } from "../../machines/ids.ts"
import { FenceError } from "./errors.ts"

export interface Repository {
  /** A directory in the repository, or a bare one. */
  readonly directory: string
  /** Ends git. What it was about to do happens whole or not at all. */
  readonly signal?: AbortSignal | undefined
}

/** A fence ref as it was found; null where there is none. */
export type StoredFence = { readonly id: string; readonly token: number } | null

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** More than any answer that is asked for here. */
const longestOutput = 1_048_576

export const run = (
  { directory, signal }: Repository,
  args: ReadonlyArray<string>,
  input: string | undefined = undefined,
): Promise<Ran> =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const child = spawn("git", args, {
      cwd: directory,
      env: environment(),
      stdio: ["pipe", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    })
    const text = { out: "", err: "" }
    const heard = (name: "out" | "err") => (chunk: string) => {
      text[name] = (text[name] + chunk).slice(0, longestOutput)
    }
    child.stdout.setEncoding("utf8").on("data", heard("out"))
    child.stderr.setEncoding("utf8").on("data", heard("err"))
    // A git that ended early says why by its exit.
    child.stdin.on("error", () => {})
    child.on("error", (error) => {
      reject(
        signal?.aborted === true
          ? signal.reason
          : new FenceError("failed", `git can't be run: ${error.message}`, error),
      )
    })
    child.on("close", (code) => resolve({ code, ...text }))
    child.stdin.end(input ?? "")
  })

/** Of a repository that a hook of git's runs in, and not of the one that is meant. */
const local =
  /^GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE|PREFIX)$/

const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !local.test(name))),
  // Nobody is there to be asked for a password.
  GIT_TERMINAL_PROMPT: "0",
})

/** Its output without the line's end. Throws `FenceError` with code `failed`. */
export const ask = async (
  repository: Repository,
  args: ReadonlyArray<string>,
  input: string | undefined = undefined,
): Promise<string> => {
  const ran = await run(repository, args, input)
  if (ran.code !== 0) throw gitFailed(args, ran)
  return ran.out.trimEnd()
}

export const gitFailed = ([command]: ReadonlyArray<string>, { code, err }: Ran): FenceError =>
  new FenceError("failed", `git ${command} ended with ${code}: ${err.trim() || "it said nothing"}`)

/** One that git can't take for an option, a pattern or two of them; git itself knows the rest of its rules. */
const refForm = /^refs\/[^\s~^:?*[\\\p{Cc}]+$/u
export const checkedRef = (ref: string): string => {
  if (refForm.test(ref) && !ref.startsWith(fences)) return ref
  throw new FenceError("invalid", `${JSON.stringify(ref)} is no ref to fence: write it whole, as refs/heads/main.`)
}

const idForm = /^([0-9a-f]{40}|[0-9a-f]{64})$/
export const checkedId = (id: string, what: string): string => {
  if (idForm.test(id)) return id
  throw new FenceError("invalid", `${what} must be the whole id of an object, but it is ${JSON.stringify(id)}.`)
}

const fences = "refs/handrail/fences/"

/** Only small letters are left as they are: a file system may take `A` and `a` for one. */
export const fenceRef = ({ name, key }: ResourceRef): string => `${fences}${escaped(name)}/${escaped(key)}`

const escaped = (text: string): string =>
  text.replace(/[^a-z0-9_-]/g, (letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, "0")}`)

const Stored = Schema.fromJsonString(Schema.Struct({ ...FenceSchema.fields, write: Schema.String }))
const decode = Schema.decodeUnknownExit(Stored)

/** Puts a new fence into the repository's objects, and answers with its id. Nothing points to it yet. */
export const storeFence = ({ name, key, token }: Fence, repository: Repository): Promise<string> =>
  ask(repository, ["hash-object", "-w", "--stdin"], JSON.stringify({ name, key, token, write: randomUUID() }))

/** The token in an object that is in the repository. */
export const tokenIn = async (repository: Repository, id: string): Promise<number> => {
  const stored = decode(await ask(repository, ["cat-file", "blob", id]))
  if (stored._tag === "Failure") throw new FenceError("failed", `The object ${id} is no fencing token of Handrail's.`)
  return stored.value.token
}
