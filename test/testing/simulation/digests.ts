/** Prints the digest of each seed that is given: a process of its own, to compare with. */
import { simulate } from "../../../src/testing/simulation/simulate.ts"

for (const seed of process.argv.slice(2)) console.log(seed, (await simulate({ seed: Number(seed) })).digest)
