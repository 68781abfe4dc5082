/**
 * Where an example keeps its store and what its tools write: `--out DIR`, which is new or empty, or a new folder in the system's
 * place for such.
 */
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"

/** The folder, and those of the `flags` that were given. What can't be right ends the program with 2. */
export const readArguments = (name: string, flags: ReadonlyArray<string> = []) => {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: "string" },
        ...Object.fromEntries(flags.map((flag) => [flag, { type: "boolean" } as const])),
      },
    })
    const { out, ...rest } = values
    const folder = out === undefined ? mkdtempSync(join(tmpdir(), `handrail-${name}-`)) : resolve(out)
    mkdirSync(folder, { recursive: true })
    if (readdirSync(folder).length > 0) throw new Error(`${folder} is not empty: name a new folder.`)
    return { folder, given: new Set(Object.keys(rest)) }
  } catch (error) {
    const usage = ["[--out DIR]", ...flags.map((flag) => `[--${flag}]`)].join(" ")
    console.error(
      `${error instanceof Error ? error.message : String(error)}\nUsage: tsx examples/${name}/main.ts ${usage}`,
    )
    process.exit(2)
  }
}
