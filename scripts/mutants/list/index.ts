/** Every mutant, in the order in which they are run. */
import type { Mutant } from "../Mutant.ts"
import { approvalMutants } from "./approvals.ts"
import { budgetMutants } from "./budgets.ts"
import { contractMutants } from "./contracts.ts"
import { governorMutants } from "./governor.ts"
import { handoffMutants } from "./handoffs.ts"
import { killMutants } from "./kills.ts"
import { resourceMutants } from "./resources.ts"
import { runtimeMutants } from "./runtime.ts"
import { sdkMutants } from "./sdk.ts"
import { storeMutants } from "./stores.ts"
import { timeMutants } from "./time.ts"

export const mutants: ReadonlyArray<Mutant> = [
  ...handoffMutants,
  ...killMutants,
  ...budgetMutants,
  ...resourceMutants,
  ...approvalMutants,
  ...timeMutants,
  ...runtimeMutants,
  ...storeMutants,
  ...contractMutants,
  ...sdkMutants,
  ...governorMutants,
]
