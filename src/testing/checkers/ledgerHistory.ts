/** A history as the histories of its ledgers: one for each workflow. */
import { type Fields, fieldsOf, listOf, microsOf, numberOf, textOf } from "./fields.ts"
import type { Recorded } from "./history.ts"
import type { Counters, LedgerAction } from "./ledgerModel.ts"
import type { Operation } from "./linearizable.ts"

export interface LedgerHistory {
  readonly partition: string
  readonly operations: ReadonlyArray<Operation<LedgerAction>>
  /** A call left its price to a contract, which is not in the history: its ledger can't be checked. */
  readonly unpriced: boolean
}

export const ledgerHistories = (history: ReadonlyArray<Recorded>): ReadonlyArray<LedgerHistory> => {
  const named = new Map<string, string>()
  for (const { command, input, outcome } of history)
    if (command === "propose" && outcome?.ok === true)
      for (const { stepId } of listOf(outcome.answer.steps))
        named.set(textOf(stepId) ?? "", textOf(input.sessionId) ?? "")
  const seen = new Map<string, string>()
  for (const { command, outcome } of history)
    if (command === "getWorkflow" && outcome?.ok === true)
      for (const resource of listOf(outcome.answer.resources))
        for (const step of listOf(resource.steps)) seen.set(textOf(step.stepId) ?? "", textOf(step.sessionId) ?? "")
  const asking = new Set<string>()
  for (const { command, workflowId, outcome } of history) {
    if (outcome?.ok !== true) continue
    const { steps, approvals } = outcome.answer
    if (command === "propose" && listOf(steps).some(isAsked)) asking.add(workflowId)
    if (command === "getWorkflow" && listOf(approvals).length > 0) asking.add(workflowId)
  }
  const byWorkflow = new Map<string, { readonly list: Array<Operation<LedgerAction>>; unpriced: boolean }>()
  for (const one of history) {
    const entry = byWorkflow.get(one.workflowId) ?? { list: [], unpriced: false }
    byWorkflow.set(one.workflowId, entry)
    const unpriced = (call: Fields): boolean => call.estimatedCost === undefined
    if (one.command === "propose") entry.unpriced ||= listOf(one.input.calls).some(unpriced)
    if (one.command === "preflight") entry.unpriced ||= unpriced(one.input)
    for (const action of actionsOf(one, named, seen, asking.has(one.workflowId)))
      entry.list.push({ process: one.process, action, call: one.call, return: one.return })
  }
  return Array.from(byWorkflow, ([partition, { list, unpriced }]) => ({ partition, operations: list, unpriced }))
}

const isAsked = (step: Fields): boolean => step.status === "awaiting_approval"

const actionsOf = (
  one: Recorded,
  named: ReadonlyMap<string, string>,
  seen: ReadonlyMap<string, string>,
  asks: boolean,
): ReadonlyArray<LedgerAction> => {
  const { command, input, outcome } = one
  const session = textOf(input.sessionId) ?? ""
  const resolve = (step: Fields, counts: boolean): LedgerAction => {
    const id = textOf(step.stepId) ?? ""
    return {
      kind: "resolve",
      step: id,
      session: named.get(id) ?? seen.get(id) ?? (session === "" ? undefined : session),
      committed: step.outcome === "committed",
      counts,
      cost: microsOf(step.actualCost),
      named: named.has(id),
    }
  }
  switch (command) {
    case "propose":
      return outcome?.ok === false ? refusedProposal(one, outcome) : [proposal(one, outcome?.answer, asks)]
    case "preflight":
      return outcome?.ok === false ? refusedProposal(one, outcome) : [prepared(one, outcome?.answer)]
    case "receipt": {
      const late = outcome?.ok === false
      if (late && outcome.facts.recorded !== true) return []
      return listOf(input.receipts).flatMap((item) => (item.outcome === "unknown" ? [] : [resolve(item, !late)]))
    }
    case "rejectStep":
      return outcome?.ok === false ? [] : [resolve({ stepId: input.stepId, outcome: "aborted" }, true)]
    case "resolveStep":
      return outcome?.ok === false ? [] : [resolve(input, outcome?.answer.status !== "late")]
    case "raiseLimits": {
      if (outcome?.ok === false || input.role !== undefined) return []
      const limits = fieldsOf(input.limits)
      return [{ kind: "raise", maxCost: microsOf(limits.maxCost), maxSteps: numberOf(limits.maxSteps) }]
    }
    case "getWorkflow": {
      if (outcome?.ok !== true) return []
      const ledger = fieldsOf(outcome.answer.ledger)
      return [{ kind: "read", cost: counters(ledger.cost, microsOf), steps: counters(ledger.steps, numberOf) }]
    }
    default:
      return []
  }
}

/** `asks`: something in the workflow was seen to await approval, so that what has no answer may do so too. */
const proposal = ({ process, call, input }: Recorded, answer: Fields | undefined, asks: boolean): LedgerAction => {
  const steps = listOf(answer?.steps)
  return {
    kind: "propose",
    session: textOf(input.sessionId) ?? "",
    calls: listOf(input.calls).map(({ estimatedCost }, index) => ({
      id: textOf(steps[index]?.stepId) ?? `?${process}:${call}:${index}`,
      cost: microsOf(estimatedCost) ?? 0,
      fleeting: answer === undefined ? asks : isAsked(steps[index] ?? {}),
    })),
    prepared: textOf(input.preparedRequestId),
    isAnswered: answer !== undefined,
    usage: usageOf(input),
  }
}

const prepared = ({ process, call, input }: Recorded, answer: Fields | undefined): LedgerAction => ({
  kind: "prepare",
  id: textOf(answer?.preparedRequestId) ?? `?${process}:${call}`,
  session: textOf(input.sessionId) ?? "",
  cost: microsOf(input.estimatedCost) ?? 0,
  until: numberOf(answer?.expiresAt) ?? 0,
})

const refusedProposal = (
  { input }: Recorded,
  { code, facts }: { readonly code: string; readonly facts: Fields },
): ReadonlyArray<LedgerAction> => {
  const usage = usageOf(input)
  const { limit } = facts
  if (code !== "limit_exceeded" || facts.scope !== "workflow" || (limit !== "max_cost" && limit !== "max_steps"))
    return usage === 0 ? [] : [{ kind: "usage", cost: usage }]
  const amount = limit === "max_cost" ? microsOf : numberOf
  return [
    {
      kind: "refused",
      limit,
      counters: counters(facts, amount),
      requested: amount(facts.requested) ?? 0,
      prepared: textOf(input.preparedRequestId),
      usage,
      exact: listOf(input.calls).length <= 1,
    },
  ]
}

const usageOf = (input: Fields): number => microsOf(fieldsOf(input.usage).cost) ?? 0

const counters = (value: unknown, amount: (value: unknown) => number | undefined): Counters => {
  const { used, reserved, max } = fieldsOf(value)
  return { used: amount(used) ?? 0, reserved: amount(reserved) ?? 0, max: amount(max) ?? null }
}
