/**
 * Fencing of a file: it is replaced as a whole, by the writer with the newest token, whoever freezes, dies or comes back
 * meanwhile.
 *
 * There is no lock, so there is none to recover. Beside `FILE` lies the directory `FILE.fence` with a mark for the newest token
 * (`token-7`) and the unfinished writes (`write-7-…`). A writer
 *
 * 1. makes the mark of its token,
 * 2. writes its content there, then looks at the directory: a newer mark means that it is stale,
 * 3. removes unfinished writes of older tokens,
 * 4. renames its own to the file.
 *
 * A stale writer that froze before 2 finds the newer mark; one that froze after it finds its unfinished write gone, so its
 * rename fails: the newer writer removed it (3) before it wrote the file itself (4).
 */
import { randomUUID } from "node:crypto"
import { type FileHandle, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { Fence } from "../../machines/ids.ts"
import { FenceError, StaleFenceError } from "./errors.ts"
import { checkedFence } from "./fence.ts"

export interface ReplaceFileOptions {
  /** Permissions. Default: those that the file has, and of a new one 0o666 less the process's umask. */
  readonly mode?: number
}

/**
 * Replaces a file's content, atomically and durably: readers see the old one or the new one, also after a power cut.
 *
 * Guarantee: no replacement lands after one with a greater token, by any number of processes on this machine, frozen and
 * killed at any point. Of equal tokens the last lands. Limits: for local file systems with POSIX `rename` and `readdir`
 * (ext4, xfs, btrfs, APFS, tmpfs); not for network file systems that cache directories (NFS, SMB), nor Windows. Only writers
 * that use this function are fenced. One file is guarded by one resource. A link is followed. The directory `FILE.fence` must
 * stay: with it the tokens are gone.
 *
 * Throws `StaleFenceError`; `FenceError` `invalid` where another resource guards the file; and the file system's own errors.
 */
export const replaceFile = async (
  path: string,
  content: string | Uint8Array,
  fence: Fence,
  { mode }: ReplaceFileOptions = {},
): Promise<void> => {
  const mine = checkedFence(fence)
  const file = await followed(path)
  const directory = `${file}.fence`
  await mkdir(directory, { recursive: true })
  await checkResource(directory, mine)
  // A look first, so that a stale writer leaves nothing behind.
  refuseStale(await namesIn(directory), mine)
  await durably(join(directory, `token-${mine.token}`), "a", async () => {})
  const draft = join(directory, `write-${mine.token}-${randomUUID()}`)
  try {
    const permissions = mode ?? (await modeOf(file))
    await durably(draft, "wx", async (handle) => {
      await handle.writeFile(content)
      if (permissions !== undefined) await handle.chmod(permissions)
    })
    const names = await namesIn(directory)
    refuseStale(names, mine)
    await removeOlder(directory, names, mine.token)
    await syncDirectory(directory)
    await rename(draft, file).catch(async (error: unknown) => {
      refuseStale(await namesIn(directory), mine)
      throw error
    })
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  await syncDirectory(dirname(file))
}

/** Also of a file that is not there yet, in a directory that is. */
const followed = async (path: string): Promise<string> => {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isMissing(error)) throw error
    return join(await realpath(dirname(path)), basename(path))
  }
}

/** The first writer says which resource guards the file; tokens of another would mean nothing here. */
const checkResource = async (directory: string, { name, key }: Fence): Promise<void> => {
  const resource = `${name}/${key}`
  const place = join(directory, "resource")
  const found = await readFile(place, "utf8").catch((error: unknown) => {
    if (!isMissing(error)) throw error
    return undefined
  })
  // Made whole before it has its name, so that nobody reads half of it. Two first writers of two resources are a mistake that
  // the next write of one of them shows.
  if (found === undefined) {
    const draft = join(directory, `resource-${randomUUID()}`)
    await durably(draft, "wx", (handle) => handle.writeFile(resource))
    await rename(draft, place)
  } else if (found !== resource)
    throw new FenceError("invalid", `The file is guarded by ${found}, so a token of ${resource} says nothing about it.`)
}

const namesIn = (directory: string): Promise<ReadonlyArray<string>> => readdir(directory)

const tokenIn = (name: string): number | undefined => {
  const [, token] = /^(?:token|write)-(\d+)/.exec(name) ?? []
  return token === undefined ? undefined : Number(token)
}

const refuseStale = (names: ReadonlyArray<string>, mine: Fence): void => {
  const newest = Math.max(0, ...names.filter((name) => name.startsWith("token-")).map((name) => tokenIn(name) ?? 0))
  if (newest > mine.token) throw new StaleFenceError(mine, newest)
}

/** Unfinished writes, so that they never land; and marks, which say nothing beside a newer one. */
const removeOlder = async (directory: string, names: ReadonlyArray<string>, token: number): Promise<void> => {
  for (const name of names) {
    const other = tokenIn(name)
    if (other !== undefined && other < token) await rm(join(directory, name), { force: true })
  }
}

const modeOf = async (file: string): Promise<number | undefined> => {
  try {
    return (await stat(file)).mode & 0o7777
  } catch (error) {
    if (!isMissing(error)) throw error
    return undefined
  }
}

const durably = async (path: string, flags: string, use: (handle: FileHandle) => Promise<void>): Promise<void> => {
  const handle = await open(path, flags)
  try {
    await use(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const syncDirectory = (path: string): Promise<void> => durably(path, "r", async () => {})

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"
