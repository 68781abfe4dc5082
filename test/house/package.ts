/** package.json as the house tests read it: what is offered to others, and which source stands behind each offer. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository, with a slash at the end. */
export const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Offer {
  /** What a user writes: `handrail/machines`. */
  readonly specifier: string
  /** Paths relative to the package. */
  readonly types: string
  readonly code: string
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly imports?: Readonly<Record<string, string>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export const packageFile = () => {
  const manifest: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const offers = Object.entries(manifest.exports).flatMap(
    ([key, target]): ReadonlyArray<Offer> =>
      typeof target === "string"
        ? []
        : [{ specifier: `${manifest.name}${key.slice(1)}`, types: target.types, code: target.default }],
  )
  /** Files that are started rather than imported: workers and commands. */
  const started = [...Object.values(manifest.imports ?? {}), ...Object.values(manifest.bin ?? {})]
  return {
    name: manifest.name,
    version: manifest.version,
    /** With the optional ones: an entry of its own may need them. */
    dependencies: Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
    /** Command → the file that it starts. */
    commands: manifest.bin ?? {},
    offers,
    started,
    /** The sources from which everything else must be reachable. */
    entries: [...offers.map(({ code }) => code), ...started].map(sourceOf),
  }
}

/** `./dist/machines/index.js` → `src/machines/index.ts` */
export const sourceOf = (distFile: string): string =>
  distFile.replace(/^(\.\/)?dist\//, "src/").replace(/\.(d\.ts|js)$/, ".ts")
