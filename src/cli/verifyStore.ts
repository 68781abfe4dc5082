/**
 * Verification of a store from end to end: of a SQLite file the whole file, byte by byte of its chains; of every store, that
 * what it lists follows from its events.
 */
import { Effect } from "effect"
import { StoreFile } from "../adapters/kysely/StoreFile.ts"
import { verify as verifyFile } from "../adapters/kysely/verify.ts"
import { Tenant, type WorkflowId } from "../machines/ids.ts"
import type { Journal, StorageError } from "../runtime/Journal.ts"
import { type Verification, verifyTenant, verifyWorkflow } from "../runtime/verify.ts"
import { CommandError } from "./Command.ts"
import { findRow, withJournal } from "./journal.ts"
import { openKeys, pathOf, type StoreChoice } from "./store.ts"

export interface StoreProblem {
  readonly tenant: string
  readonly workflowId: string
  readonly seq: number | null
  readonly problem: string
}
export interface StoreReport {
  readonly workflows: number
  readonly events: number
  readonly problems: ReadonlyArray<StoreProblem>
}

/** What is to be verified: everything, a tenant, or a workflow of a tenant. */
export interface Part {
  readonly tenant: Tenant | undefined
  readonly workflowId: WorkflowId | undefined
}

export const verifyStore = async (choice: StoreChoice, part: Part): Promise<StoreReport> => {
  const path = pathOf(choice.store)
  const { tenant, workflowId } = part
  const chains = path === undefined ? [] : await chainProblems(path, part)
  const tenants = tenant === undefined ? await tenantsOf(choice, path) : [tenant]
  const broken = new Set(chains.map((problem) => keyOf(problem.tenant, problem.workflowId)))
  const problems: Array<StoreProblem> = [...chains]
  let workflows = 0
  let events = 0
  for (const owner of tenants) {
    const found = await withJournal(choice, (journal) => verifyPart(journal, owner, workflowId))
    workflows += found.workflows
    events += found.events
    // A broken chain is told once, where it was found.
    for (const problem of found.problems)
      if (!broken.has(keyOf(owner, problem.workflowId))) problems.push({ tenant: owner, ...problem })
  }
  return { workflows, events, problems }
}

const verifyPart = (
  journal: Journal["Service"],
  tenant: Tenant,
  workflowId: WorkflowId | undefined,
): Effect.Effect<Verification, StorageError | CommandError> => {
  if (workflowId === undefined) return verifyTenant(journal, tenant)
  return Effect.gen(function* () {
    const row = yield* findRow(journal, tenant, workflowId)
    if (row !== undefined) return yield* verifyWorkflow(journal, tenant, row)
    return yield* Effect.fail(new CommandError("workflow_not_found", `There is no workflow ${workflowId}.`))
  })
}

const keyOf = (tenant: string, workflowId: string): string => `${tenant}\u0000${workflowId}`

const chainProblems = async (filename: string, { tenant, workflowId }: Part): Promise<ReadonlyArray<StoreProblem>> =>
  (await Effect.runPromise(verifyFile({ filename }, tenant, workflowId))).problems

/** In a file all; in a database those that the port can tell of: the default one, and whoever has a key. */
const tenantsOf = async (choice: StoreChoice, path: string | undefined): Promise<ReadonlyArray<Tenant>> => {
  if (path !== undefined) {
    const file = new StoreFile(path)
    try {
      const found = new Set<Tenant>()
      for (const { tenant } of file.workflows()) found.add(tenant)
      return [...found]
    } finally {
      file.close()
    }
  }
  const keys = await openKeys(choice)
  try {
    return [...new Set([Tenant.make("default"), ...(await keys.list()).map(({ tenant }) => tenant)])]
  } finally {
    await keys.close()
  }
}
