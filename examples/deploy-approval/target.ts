/** What is deployed to: a file that says which version is live. A write with a token older than the newest is refused. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { type Fence, replaceFile } from "handrail/fences"

const fileOf = (folder: string, environment: string): string => join(folder, `${environment}.txt`)

export const putLive = (folder: string, environment: string, version: string, fence: Fence): Promise<void> =>
  replaceFile(fileOf(folder, environment), version, fence)

/** Undefined where nothing was ever deployed. */
export const liveVersion = (folder: string, environment: string): Promise<string | undefined> =>
  readFile(fileOf(folder, environment), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
