/** Fencing of a git ref, in a repository on this machine or in a remote one: ref and token move together or not at all. */
import type { Fence } from "../../machines/ids.ts"
import { FenceError, StaleFenceError } from "./errors.ts"
import { checkedFence } from "./fence.ts"
import {
  ask,
  checkedId,
  checkedRef,
  fenceRef,
  gitFailed,
  type Repository,
  run,
  type StoredFence,
  storeFence,
  tokenIn,
} from "./git.ts"

export interface RefUpdate extends Repository {
  /** Whole: `refs/heads/main`. */
  readonly ref: string
  /** The object that it points to from now on: a whole id, of an object in the repository. */
  readonly newId: string
  /** What it must point to now, or null where it must not exist. Without it: whatever it points to. */
  readonly oldId?: string | null
}

export interface RefPush extends RefUpdate {
  /** A remote's name, or its URL. */
  readonly remote: string
}

/** What was found before the write, and must still be so at the write. */
interface Found {
  readonly fence: StoredFence
  /** Null where the ref is not there. */
  readonly id: string | null
}

/** As often as others may be faster. Each of them has written, so somebody makes progress. */
const tries = 5

/**
 * Moves a ref of a repository on this machine.
 *
 * Guarantee: one ref transaction (`git update-ref`, prepared and committed) checks the token, moves the ref and stores the
 * token, so no update lands after one with a greater token, by any number of processes. Limits: a commit or a push by other
 * means is not fenced; a working tree that has the branch checked out is not updated; a git that is killed between prepare
 * and commit leaves `*.lock` files, which git itself asks a person to remove. Throws `StaleFenceError`; `FenceError` `moved`,
 * `contended`, `invalid` or `failed`.
 */
export const updateGitRef = (update: RefUpdate, fence: Fence): Promise<void> =>
  compareAndSwap(update, fence, {
    find: async (place) => ({
      fence: await stored(update, await refId(update, place)),
      id: await refId(update, update.ref),
    }),
    swap: async (place, found, fenceId) => {
      const args = ["update-ref", "-z", "--stdin"]
      const commands = [
        "start",
        ...change(place, fenceId, found.fence?.id ?? null),
        ...change(update.ref, update.newId, found.id),
        "prepare",
        "commit",
      ]
      const ran = await run(update, args, commands.map((command) => `${command}\0`).join(""))
      return ran.code === 0 ? undefined : gitFailed(args, ran)
    },
  })

/**
 * Moves a ref of a remote repository: one push, atomic, with a lease on the ref and on the token's own ref.
 *
 * Guarantee: the remote checks what both refs point to, moves both or none, so no push lands after one with a greater token.
 * Limits: the remote must allow atomic pushes and refs below `refs/handrail/`; `newId` may rewrite history, so give `oldId`
 * where it must not; pushes by other means are not fenced. Throws as `updateGitRef` does.
 */
export const pushGitRef = (push: RefPush, fence: Fence): Promise<void> =>
  compareAndSwap(push, fence, {
    find: async (place) => {
      const listed = new Map(
        (await ask(push, ["ls-remote", "--refs", "--", push.remote, place, push.ref])).split("\n").map((line) => {
          const [id = "", ref = ""] = line.split("\t")
          return [ref, id] as const
        }),
      )
      const id = listed.get(place)
      // The object comes along, and no ref of this repository changes.
      if (id !== undefined)
        await ask(push, ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", push.remote, place])
      return { fence: await stored(push, id), id: listed.get(push.ref) ?? null }
    },
    swap: async (place, found, fenceId) => {
      const args = [
        "push",
        "--quiet",
        "--atomic",
        "--no-verify",
        `--force-with-lease=${push.ref}:${found.id ?? ""}`,
        `--force-with-lease=${place}:${found.fence?.id ?? ""}`,
        "--",
        push.remote,
        `${push.newId}:${push.ref}`,
        `${fenceId}:${place}`,
      ]
      const ran = await run(push, args)
      return ran.code === 0 ? undefined : gitFailed(args, ran)
    },
  })

interface Swap {
  /** What the fence's ref and the caller's point to. */
  readonly find: (place: string) => Promise<Found>
  /** Moves both if they are as they were found; else what git says. */
  readonly swap: (place: string, found: Found, fenceId: string) => Promise<FenceError | undefined>
}

const compareAndSwap = async (update: RefUpdate, fence: Fence, { find, swap }: Swap): Promise<void> => {
  const mine = checkedFence(fence)
  checkedRef(update.ref)
  checkedId(update.newId, "newId")
  if (typeof update.oldId === "string") checkedId(update.oldId, "oldId")
  const place = fenceRef(mine)
  let found = await find(place)
  let isUnchanged = false
  for (let left = tries; left > 0; left -= 1) {
    if (found.fence !== null && found.fence.token > mine.token) throw new StaleFenceError(mine, found.fence.token)
    if (update.oldId !== undefined && update.oldId !== found.id)
      throw new FenceError(
        "moved",
        `${update.ref} is at ${found.id ?? "nothing"}, not at ${update.oldId ?? "nothing"}.`,
      )
    const failure = await swap(place, found, await storeFence(mine, update))
    if (failure === undefined) return
    const now = await find(place)
    // Another may hold git's locks and not have written yet. Where nobody was faster twice, git has a reason of its own.
    const wasUnchanged = isUnchanged
    isUnchanged = now.id === found.id && now.fence?.id === found.fence?.id
    if (isUnchanged && wasUnchanged) throw failure
    found = now
  }
  throw new FenceError("contended", `Others moved ${update.ref} first, ${tries} times. Try again.`)
}

const stored = async (repository: Repository, id: string | null | undefined): Promise<StoredFence> =>
  id === null || id === undefined ? null : { id, token: await tokenIn(repository, id) }

const refId = async (repository: Repository, ref: string): Promise<string | null> => {
  // It takes a ref for a prefix, too.
  const found = await ask(repository, ["for-each-ref", "--format=%(objectname) %(refname)", "--count=1", ref])
  const [id = "", name] = found.split(" ")
  return name === ref ? id : null
}

/** With NULs inside, as `-z` wants it: the last one is added by the caller. */
const change = (ref: string, newId: string, oldId: string | null): ReadonlyArray<string> =>
  oldId === null ? [`create ${ref}`, newId] : [`update ${ref}`, newId, oldId]
