/** The system under test, for the benchmarks. Until there is one, only the floors are measured. */
import type { Subject } from "./subject.ts"

export const handrail: Subject | undefined = undefined
