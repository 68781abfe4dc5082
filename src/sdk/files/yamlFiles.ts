/** The YAML files of a directory: what a loader reads, within the compiler's bounds. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { bounds } from "../../definition/bounds.ts"
import { isYaml } from "../../definition/contractPath.ts"
import { ReplayConfigError } from "../errors.ts"

/** Name and text of each, sorted by name. `option` is blamed where the directory can't be read. */
export const yamlIn = (directory: string, option: string): ReadonlyArray<readonly [name: string, text: string]> => {
  try {
    return readdirSync(directory)
      .filter((name) => isYaml(name) && statSync(join(directory, name)).isFile())
      .toSorted()
      .slice(0, bounds.files + 1)
      .map((name) => [name, readFileSync(join(directory, name), "utf8")] as const)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ReplayConfigError(option, `The contracts in ${directory} can't be read: ${reason}`)
  }
}
