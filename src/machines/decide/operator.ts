/** Decisions of an operator on the whole workflow: raised limits (semantics.md §7). */
import type { LimitsRaised } from "../answers.ts"
import type { CommandOf } from "../commands.ts"
import type { LimitName } from "../definition.ts"
import { fromMicros } from "../ids.ts"
import type { State } from "../state.ts"
import { accept, type Decision, nextSeq, no, refused } from "./context.ts"
import { activeWorkflow } from "./guards.ts"

export const raiseLimits = (state: State, command: CommandOf<"raiseLimits">): Decision<LimitsRaised> => {
  const over = activeWorkflow(state)
  if (over !== undefined) return refused(over)
  const role = command.role ?? null
  const present = role === null ? state.limits : state.roleLimits.get(role)
  if (present === undefined) return no("invalid_request", `The definition has no role ${role}.`, { role })
  const limits: Record<string, number> = {}
  for (const [name, value] of Object.entries(command.limits) as Array<[LimitName, number]>) {
    const now = present[name]
    if (now === null || value < now) {
      // As people give them: money as a decimal.
      const shown = (amount: number): number => (name === "maxCost" ? fromMicros(amount) : amount)
      return no(
        "limits_only_raise",
        now === null
          ? `${name} has no limit, so none can be set.`
          : `${name} is ${shown(now)}: it can't be lowered to ${shown(value)}.`,
        { limit: name, present: now === null ? null : shown(now), requested: shown(value), role },
      )
    }
    if (value > now) limits[name] = value
  }
  if (Object.keys(limits).length === 0) return accept([], { workflowId: state.workflowId, role, seq: state.seq })
  const duration = limits.maxDurationMs
  return accept(
    [
      {
        _tag: "limits.raised",
        role,
        limits,
        ...(duration === undefined ? {} : { deadline: state.createdAt + duration }),
      },
    ],
    { workflowId: state.workflowId, role, seq: nextSeq(state) },
  )
}
