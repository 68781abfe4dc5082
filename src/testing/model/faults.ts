/**
 * Deliberate mistakes that the model can be told to make, to prove that the properties notice them.
 *
 * Each is one guard or one consequence of semantics.md left out. A model without a fault is the contract.
 */
export const faults = [
  "a claimed handoff can be claimed again",
  "an abort keeps its reservation",
  "a subtree kill spares the descendants",
  "a failing parent spares its descendants",
  "a queue is never woken",
  "a single writer may be joined",
  "an exclusive resource admits two",
  "progress does not reach the ancestors",
  "a stale version is accepted",
  "a reclaim keeps the generation",
  "usage is lost when a proposal is refused",
  "usage is settled again under the same key",
  "a prepared request can be used twice",
  "an expired preflight keeps its reservation",
  "a late commit counts as a step",
  "a binding does not come back at the child's end",
  "a parent completes over living descendants",
  "a kill releases what its orphans hold",
  "an idempotency key is forgotten",
  "a waking step gets no new token",
  "role limits are ignored",
  "a deadline fires one tick late",
  "a killed root leaves the workflow active",
  "half a proposal is admitted",
  "a step runs without the approval that it needs",
  "an approved step does not wait for its turn",
  "a step that awaits approval may be committed",
  "a step that was rejected can be approved",
  "silence approves",
  "a kill spares a step that awaits approval",
  "a text turn keeps its reservation",
] as const
export type Fault = (typeof faults)[number]
