/**
 * Files that one agent hands to another: the handoff carries a reference with a hash, the file carries the content.
 *
 * The runtime stores references only (semantics.md §1). The hash makes the reference mean one content: an agent that
 * finds another one refuses to work with it, so nobody reviews a change that was swapped after the handoff.
 */
import { createHash } from "node:crypto"
import { readFile, rename, writeFile } from "node:fs/promises"
import { fileURLToPath, pathToFileURL } from "node:url"

export interface ArtifactRef {
  readonly uri: string
  readonly hash: string
  readonly mediaType: string
}

/** The content is not what the reference says. */
export class ArtifactError extends Error {
  override readonly name = "ArtifactError"
}

const sha256 = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`

/** Writes the text whole or not at all, and answers with the reference to hand on. */
export const writeArtifact = async (path: string, text: string, mediaType: string): Promise<ArtifactRef> => {
  // Two processes may write the same name (a reclaimed claimant that is not dead yet); each needs its own draft.
  const draft = `${path}.${process.pid}.tmp`
  await writeFile(draft, text)
  await rename(draft, path)
  return { uri: pathToFileURL(path).href, hash: sha256(text), mediaType }
}

/** Throws `ArtifactError` where the file is gone, or holds something else than when the reference was made. */
export const readArtifact = async ({
  uri,
  hash,
}: {
  readonly uri: string
  readonly hash?: string | undefined
}): Promise<string> => {
  if (!uri.startsWith("file:")) throw new ArtifactError(`${uri} is not a file`)
  const text = await readFile(fileURLToPath(uri), "utf8").catch((cause: unknown) => {
    throw new ArtifactError(`${uri} cannot be read`, { cause })
  })
  if (hash !== undefined && hash !== sha256(text))
    throw new ArtifactError(`${uri} is not what was handed over: expected ${hash}`)
  return text
}
