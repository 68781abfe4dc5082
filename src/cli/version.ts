/** The version of the installed package. */
import { readFileSync } from "node:fs"

export const version = (): string => {
  const manifest: { readonly version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  )
  return manifest.version
}
