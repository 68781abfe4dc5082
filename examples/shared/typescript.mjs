/**
 * Teaches TypeScript to a Node process: `node --import ./examples/shared/typescript.mjs main.ts`, as `--import tsx` does.
 *
 * Handrail is loaded before: a loader's hooks look at every file that is loaded after them, and with them the hundreds of files of
 * compiled packages take twice as long.
 */
import "handrail"
import { register } from "tsx/esm/api"

register()
