/**
 * Starts one agent: `node start.mjs ROLE ASSIGNMENT`.
 *
 * Handrail is loaded before TypeScript is taught to Node: a loader's hooks look at every file that is loaded after them, and
 * with them the hundreds of files of compiled packages take twice as long.
 */
import "handrail"
import { register } from "tsx/esm/api"

register()
await import(`./${process.argv[2]}.ts`)
