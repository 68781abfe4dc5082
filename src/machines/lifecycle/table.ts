/**
 * Look-up tables derived from the lifecycle machines, once, at load.
 *
 * A pure XState `transition` costs about 15 µs and a hot command makes several; a table look-up costs nothing. The machines
 * hold no context and no guards, so a table of every state and every event says all that they say. The machines remain the
 * only source; a test walks both and proves that they agree.
 */
import { type AnyStateMachine, initialTransition, transition } from "xstate"
import type { HandoffStatus, StepStatus } from "../answers.ts"
import type { SessionStatus, WorkflowStatus } from "../projection.ts"
import type { Code } from "../refusals.ts"
import { type HandoffEvent, handoffMachine } from "./handoff.machine.ts"
import { type KillEvent, killMachine } from "./kill.machine.ts"
import { type SessionEvent, sessionMachine } from "./session.machine.ts"
import { type StepEvent, stepMachine } from "./step.machine.ts"
import { type WorkflowEvent, workflowMachine } from "./workflow.machine.ts"

export interface Lifecycle<S extends string, E extends string> {
  readonly initial: S
  readonly states: ReadonlyArray<S>
  readonly events: ReadonlyArray<E>
  isFinal(state: S): boolean
  /** The next state, or undefined where the event is not allowed. */
  next(state: S, event: E): S | undefined
  /** The next state of an event that was already checked. Throws where the machine forbids it: a bug, not a refusal. */
  move(state: S, event: E): S
  /** The code with which a command is refused in a state that does not allow its event. */
  refusal(state: S, event: E): Code | undefined
}

const derive = <S extends string, E extends string>(machine: AnyStateMachine): Lifecycle<S, E> => {
  const states = Object.keys(machine.states) as Array<S>
  const events = machine.events.filter((event) => event !== "*") as Array<E>
  const next = new Map<S, ReadonlyMap<E, S>>()
  const final = new Set<S>()
  const refusals = new Map<S, Readonly<Record<string, Code>>>()
  for (const state of states) {
    const snapshot = machine.resolveState({ value: state, context: {} })
    const row = new Map<E, S>()
    for (const event of events) {
      if (snapshot.can({ type: event }))
        row.set(event, String(transition(machine, snapshot, { type: event })[0].value) as S)
    }
    next.set(state, row)
    if (machine.states[state]?.type === "final") final.add(state)
    refusals.set(state, (machine.states[state]?.meta as { refuse?: Record<string, Code> } | undefined)?.refuse ?? {})
  }
  const initial = String(initialTransition(machine)[0].value) as S
  return {
    initial,
    states,
    events,
    isFinal: (state) => final.has(state),
    next: (state, event) => next.get(state)?.get(event),
    move: (state, event) => {
      const to = next.get(state)?.get(event)
      if (to === undefined) throw new Error(`${machine.id}: ${event} is not allowed in ${state}`)
      return to
    },
    refusal: (state, event) => refusals.get(state)?.[event],
  }
}

export const workflowLifecycle = derive<WorkflowStatus, WorkflowEvent>(workflowMachine)
export const sessionLifecycle = derive<SessionStatus, SessionEvent>(sessionMachine)
export const handoffLifecycle = derive<HandoffStatus, HandoffEvent>(handoffMachine)
export const stepLifecycle = derive<StepStatus, StepEvent>(stepMachine)
export const killLifecycle = derive<"fenced" | "quiescent", KillEvent>(killMachine)
