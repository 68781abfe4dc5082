/** Guards of approvals, and of model turns that ask for no tool (semantics.md §5, I13). */
import { contract, inFile, type Mutant } from "../Mutant.ts"

const propose = inFile("src/machines/decide/propose.ts")
const approvals = inFile("src/machines/decide/approvals.ts")
const resources = inFile("src/machines/resources.ts")
const cascade = inFile("src/machines/cascade.ts")
const steps = inFile("src/machines/evolve/steps.ts")
const lifecycle = inFile("src/machines/lifecycle/step.machine.ts")
const needs = inFile("src/machines/decide/needs.ts")
const deadlines = inFile("src/machines/deadlines.ts")
const guarded = { file: "test/machines/approvals.test.ts" }
const restored = { file: "test/machines/snapshot.test.ts" }

export const approvalMutants: ReadonlyArray<Mutant> = [
  propose({
    name: "checkpoint-ignored",
    breaks: "A call runs although its contract asks for a person.",
    rule: "§5, I13",
    find: `const taken = takes.take(stepId, resources, wait, approvalMs !== null)`,
    replace: `const taken = takes.take(stepId, resources, wait, approvalMs === 0)`,
    checks: [contract, guarded],
  }),
  resources({
    name: "tokens-before-approval",
    breaks: "A step that awaits approval is granted tokens that nobody may use yet.",
    rule: "§5, §12",
    find: `} else if (status === "admitted") {`,
    replace: `} else if (status !== "queued") {`,
    checks: [contract, guarded],
  }),
  resources({
    name: "approved-out-of-turn",
    breaks: "An approved step overtakes those that stand before it.",
    rule: "§5, I4",
    find: `headsAll(state, step, nobody) ? [{`,
    replace: `step.resources.length >= 0 ? [{`,
    checks: [contract, guarded],
  }),
  lifecycle({
    name: "unapproved-committed",
    breaks: "A session commits a step that nobody has approved.",
    rule: "§5, I13",
    find: `on: { APPROVE: "queued", REJECT: "aborted", ABORT: "aborted" },
      meta: { refuse: { COMMIT: "step_awaiting_approval", REPORT_UNKNOWN: "step_awaiting_approval" } },`,
    replace: `on: { APPROVE: "queued", REJECT: "aborted", ABORT: "aborted", COMMIT: "committed" },
      meta: { refuse: { REPORT_UNKNOWN: "step_awaiting_approval" } },`,
    checks: [contract, guarded],
  }),
  approvals({
    name: "rejected-then-approved",
    breaks: "Whoever approves what was rejected is told that it is approved.",
    rule: "§5",
    find: `if (needed && aborted === (decision === "rejected"))`,
    replace: `if (needed && (aborted || decision === "approved"))`,
    checks: [contract, guarded],
  }),
  approvals({
    name: "decided-without-need",
    breaks: "A step that needed no approval is said to have been decided on.",
    rule: "§5",
    find: `const needed = contract !== undefined && state.rules.approvalMs(contract) !== null`,
    replace: `const needed = contract === undefined || state.rules.approvalMs(contract) !== -1`,
    checks: [contract, guarded],
  }),
  approvals({
    name: "rejection-unsigned",
    breaks: "The journal does not tell a rejection from what the session itself aborted.",
    rule: "§5",
    find: `  rejected: true,
})`,
    replace: `})`,
    checks: [guarded],
  }),
  steps({
    name: "approval-without-end",
    breaks: "A step that nobody decides on waits for ever, until the next restart.",
    rule: "§9, I13",
    find: `if (step.deadline !== null) state.deadlines.add({ at: step.deadline, kind: "approval", id: step.stepId })`,
    replace: `if (step.deadline === 0) state.deadlines.add({ at: step.deadline, kind: "approval", id: step.stepId })`,
    checks: [contract, guarded],
  }),
  steps({
    name: "approved-and-timed",
    breaks: "The deadline of an approval outlives it: after a restart the running step is given up.",
    rule: "§9",
    find: `step.status = stepLifecycle.move(step.status, "APPROVE") as "queued"
  step.deadline = null`,
    replace: `step.status = stepLifecycle.move(step.status, "APPROVE") as "queued"`,
    checks: [guarded],
  }),
  deadlines({
    name: "approval-timed-as-orphan",
    breaks: "After a restart a step that awaited approval in vain counts as committed.",
    rule: "§9, I13",
    find: `state.deadlines.add({ at: step.deadline, kind: kindOf(step), id: step.stepId })`,
    replace: `state.deadlines.add({ at: step.deadline, kind: "step", id: step.stepId })`,
    checks: [guarded, restored],
  }),
  cascade({
    name: "kill-spares-the-waiting",
    breaks: "A step of a killed session goes on awaiting approval, with all that it holds.",
    rule: "§8, I5",
    find: `if (step.status === "queued" || step.status === "awaiting_approval") aborted.push(step)`,
    replace: `if (step.status === "queued") aborted.push(step)`,
    checks: [contract, guarded],
  }),
  needs({
    name: "decided-step-of-a-stranger",
    breaks: "A decision on a step whose session is gone is refused although it stands.",
    rule: "§5",
    find: `return known ? undefined : { sessions: [sessionId] }`,
    replace: `return known ? undefined : undefined`,
    checks: [guarded],
  }),
  propose({
    name: "text-turn-versioned",
    breaks: "A turn without calls can't give its reservation back once the session has moved on.",
    rule: "§5",
    find: `if (command.calls.length > 0 && prepared.version !== session.version)`,
    replace: `if (prepared.version !== session.version)`,
    checks: [contract, guarded],
  }),
  propose({
    name: "empty-proposal",
    breaks: "A proposal of nothing at all is an event.",
    rule: "§5",
    find: `command.calls.length === 0 && command.usage === undefined && command.preparedRequestId === undefined`,
    replace: `command.calls.length < 0 && command.usage === undefined && command.preparedRequestId === undefined`,
    checks: [contract, guarded],
  }),
]
