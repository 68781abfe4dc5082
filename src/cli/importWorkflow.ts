/** Appends a whole workflow to a journal in one piece, and verifies it as it is stored. */
import { Effect } from "effect"
import type { Append, Journal, StorageError } from "../runtime/Journal.ts"
import { verifyWorkflow } from "../runtime/verify.ts"
import { CommandError } from "./Command.ts"
import { findRow } from "./journal.ts"

export const importWorkflow = (
  journal: Journal["Service"],
  append: Append,
): Effect.Effect<void, StorageError | CommandError> =>
  Effect.gen(function* () {
    const { tenant, workflowId } = append
    const [result] = yield* journal.append([append])
    if (result?._tag === "conflict")
      return yield* Effect.fail(
        new CommandError("workflow_exists", `There is a workflow ${workflowId} already.`, "Nothing was written."),
      )
    if (result?._tag === "exists")
      return yield* Effect.fail(
        new CommandError(
          `${result.kind}_exists`,
          `There is a ${result.kind} ${result.id} already, in another workflow.`,
          "Nothing was written.",
        ),
      )
    const row = yield* findRow(journal, tenant, workflowId)
    const problems =
      row === undefined ? [{ problem: "it is not listed" }] : (yield* verifyWorkflow(journal, tenant, row)).problems
    const [first] = problems
    if (first !== undefined)
      return yield* Effect.fail(
        new CommandError(
          "import_damaged",
          `It was written, but it does not verify: ${first.problem}`,
          "See handrail verify.",
        ),
      )
  })
