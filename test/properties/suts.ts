/** The systems that every property runs against. */
import { modelSut } from "../model/modelSut.ts"
import type { SutFactory } from "../model/sut.ts"

export const suts: ReadonlyArray<SutFactory> = [modelSut(null, 100)]
