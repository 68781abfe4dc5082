/**
 * `decide(state, command, facts)`: what a command would do.
 *
 * Pure: it reads the state and writes nothing. It answers with the events to append and what to tell the caller once they are
 * durable, or with a refusal. The same state, command and facts give the same decision on every node.
 */
import type { Answers } from "../answers.ts"
import type { Command, CommandOf } from "../commands.ts"
import type { Rules } from "../rules.ts"
import type { State } from "../state.ts"
import { approveStep, rejectStep } from "./approvals.ts"
import { type Decision, type Facts, no } from "./context.ts"
import { tick } from "./deadlines.ts"
import { claim, heartbeat, offer, reclaim, withdraw } from "./handoffs.ts"
import { kill } from "./kill.ts"
import { raiseLimits } from "./operator.ts"
import { preflight, propose } from "./propose.ts"
import { receipt, resolveStep } from "./receipts.ts"
import {
  attach,
  complete,
  completeHandoff,
  createRoot,
  createRootAgain,
  fail,
  failHandoff,
  release,
} from "./sessions.ts"

export type AnyAnswer = Answers[keyof Answers]

/** A decision about a workflow that exists. */
export const decide = (state: State, command: Command, facts: Facts): Decision<AnyAnswer> => {
  switch (command._tag) {
    case "createRoot":
      return createRootAgain(state, command, facts)
    case "claim":
      return claim(state, command, facts)
    case "attach":
      return attach(state, command, facts)
    case "offer":
      return offer(state, command, facts)
    case "preflight":
      return preflight(state, command, facts)
    case "propose":
      return propose(state, command, facts)
    case "receipt":
      return receipt(state, command, facts)
    case "heartbeat":
      return heartbeat(state, command, facts)
    case "release":
      return release(state, command, facts)
    case "complete":
      return complete(state, command, facts)
    case "fail":
      return fail(state, command, facts)
    case "completeHandoff":
      return completeHandoff(state, command, facts)
    case "failHandoff":
      return failHandoff(state, command, facts)
    case "reclaim":
      return reclaim(state, command, facts)
    case "withdraw":
      return withdraw(state, command, facts)
    case "kill":
      return kill(state, command, facts)
    case "resolveStep":
      return resolveStep(state, command, facts)
    case "approveStep":
      return approveStep(state, command, facts)
    case "rejectStep":
      return rejectStep(state, command, facts)
    case "raiseLimits":
      return raiseLimits(state, command)
    case "tick":
      return tick(state, facts)
  }
}

/** A decision about a workflow that does not exist: only `createRoot` can be carried out. */
export const decideBirth = (
  workflowId: string,
  command: Command,
  rules: Rules | undefined,
  facts: Facts,
): Decision<AnyAnswer> =>
  command._tag === "createRoot" && rules !== undefined
    ? createRoot(rules, command as CommandOf<"createRoot">, facts)
    : no("workflow_not_found", `There is no workflow ${workflowId}.`, { workflowId })
