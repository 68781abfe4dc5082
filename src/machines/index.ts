/**
 * The rules of workflow governance, pure: lifecycles, the ledger, resources, `decide` and `evolve`.
 *
 * Nothing here reads a clock, makes an id or touches a disk. A host that is not Handrail's runtime (a simulation, a checker,
 * another language's test) can run a workflow with `decide`, `evolve` and a list.
 */
export * from "./answers.ts"
export { bounds } from "./bounds.ts"
export { canonicalJson } from "./canonical.ts"
export * from "./commands.ts"
export * as contracts from "./contracts/index.ts"
export type { Decision, Facts, IdKind } from "./decide/context.ts"
export { isDue } from "./decide/deadlines.ts"
export { type AnyAnswer, decide, decideBirth } from "./decide/index.ts"
export { needs, needsAlso } from "./decide/needs.ts"
export type { Definition, Limits } from "./definition.ts"
export * as definition from "./definition.ts"
export * as events from "./events.ts"
export { type Actor, EventBody, type EventOf, type EventTag, type JournalEvent } from "./events.ts"
export { birth, evolve } from "./evolve/index.ts"
export * from "./ids.ts"
export { handoffMachine } from "./lifecycle/handoff.machine.ts"
export { killMachine } from "./lifecycle/kill.machine.ts"
export { sessionMachine } from "./lifecycle/session.machine.ts"
export { stepMachine } from "./lifecycle/step.machine.ts"
export * from "./lifecycle/table.ts"
export { workflowMachine } from "./lifecycle/workflow.machine.ts"
export * from "./projection.ts"
export * from "./refusals.ts"
export type { Rules, SummaryProblem } from "./rules.ts"
export * from "./snapshot.ts"
export { openThings, type State } from "./state.ts"
export * from "./views.ts"
