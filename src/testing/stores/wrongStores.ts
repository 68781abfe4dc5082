/**
 * Stores that are wrong on purpose, each in one thing: the conformance kit's own tests.
 *
 * A kit that a wrong store passes is worth nothing. Each of these is failed by the clause that names its fault, and there is one
 * for every clause. Never use one for anything else.
 */
import type { WrongStore } from "./wrong.ts"
import { wrongReads } from "./wrongReads.ts"
import { wrongWrites } from "./wrongWrites.ts"

export const wrongStores: ReadonlyArray<WrongStore> = [...wrongWrites, ...wrongReads]
