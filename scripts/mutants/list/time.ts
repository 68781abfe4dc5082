/** Guards of deadlines, versions, snapshots and what the state may forget (semantics.md §3, §9, §10). */
import { contract, inFile, type Mutant } from "../Mutant.ts"

const deadlines = inFile("src/machines/deadlines.ts")
const decided = inFile("src/machines/decide/deadlines.ts")
const handoffs = inFile("src/machines/decide/handoffs.ts")
const sessions = inFile("src/machines/decide/sessions.ts")
const evolveHandoffs = inFile("src/machines/evolve/handoffs.ts")
const evolveSessions = inFile("src/machines/evolve/sessions.ts")
const steps = inFile("src/machines/evolve/steps.ts")
const holdings = inFile("src/machines/evolve/holdings.ts")
const context = inFile("src/machines/evolve/context.ts")
const snapshot = inFile("src/machines/snapshot.ts")
const heap = { file: "test/machines/deadlines.test.ts" }
const timed = { file: "test/runtime/deadlines.test.ts" }
const restored = { file: "test/machines/restored.test.ts" }
const snapshots = { file: "test/machines/snapshot.test.ts" }
const guarded = { file: "test/machines/guards.test.ts" }

export const timeMutants: ReadonlyArray<Mutant> = [
  decided({
    name: "deadline-a-tick-late",
    breaks: "A lease that runs out at this very moment is seen as held.",
    rule: "§9",
    find: `deadline !== undefined && deadline.at <= now`,
    replace: `deadline !== undefined && deadline.at < now`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "offer-lease",
    breaks: "An offer never expires.",
    rule: "§4, §9",
    find: `const deadline = after(facts.now, edge.offerTimeoutMs)`,
    replace: `const deadline = after(facts.now, null)`,
    checks: [timed, contract],
  }),
  handoffs({
    name: "offer-lease-after-a-reclaim",
    breaks: "An offer that came back never expires.",
    rule: "§4, §9",
    find: `deadline: status === "offered" ? after(facts.now, edge.offerTimeoutMs) : null`,
    replace: `deadline: null`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "claim-lease",
    breaks: "A claimant that does nothing keeps its handoff for ever.",
    rule: "§4, §9",
    find: `const deadline = after(facts.now, edgeOf(state, handoff).claimTimeoutMs)`,
    replace: `const deadline = after(facts.now, null)`,
    checks: [timed, contract],
  }),
  handoffs({
    name: "heartbeat-adds-up",
    breaks: "Heartbeats pile up a lease of any length.",
    rule: "§9",
    find: `const deadline = facts.now + lease`,
    replace: `const deadline = (handoff.deadline ?? facts.now) + lease`,
    checks: [contract, guarded],
  }),
  evolveHandoffs({
    name: "renewed-lease-is-forgotten",
    breaks: "A lease that was renewed once never runs out.",
    rule: "§9",
    find: `  state.deadlines.add({ at: event.deadline, kind: "claim", id: handoff.handoffId })
  handoffRow(handoff, null, context)
}

export const handoffWithdrawn`,
    replace: `  handoffRow(handoff, null, context)
}

export const handoffWithdrawn`,
    checks: [contract, guarded],
  }),
  sessions({
    name: "max-duration",
    breaks: "A workflow runs past its max_duration.",
    rule: "§7, §9",
    find: `maxDurationMs === null ? null : facts.now + maxDurationMs`,
    replace: `null`,
    checks: [timed, contract],
  }),
  {
    name: "preflight-timeout",
    breaks: "The reservation of a preflight that nobody uses is kept for ever.",
    rule: "§5, §9",
    edits: [
      {
        file: "src/machines/evolve/steps.ts",
        find: `  state.deadlines.add({ at: event.deadline, kind: "prepared", id: event.preparedRequestId })\n`,
        replace: "",
      },
    ],
    checks: [timed, contract],
  },
  evolveSessions({
    name: "pending-timeout",
    breaks: "An orphan whose resource says release holds it for ever.",
    rule: "§5, §9",
    find: `      state.deadlines.add({ at: step.deadline, kind: "step", id: step.stepId })\n`,
    replace: "",
    checks: [timed, contract],
  }),
  decided({
    name: "released-orphan-is-free",
    breaks: "The estimate of an orphan that was released does not count as spent.",
    rule: "§12",
    find: `cost: step.cost, tokens: step.tokens }`,
    replace: `cost: 0, tokens: step.tokens }`,
    checks: [contract, guarded],
  }),
  deadlines({
    name: "end-of-the-workflow-first",
    breaks: "A handoff expires in the moment in which its workflow ends.",
    rule: "§12",
    find: `  workflow: 0,`,
    replace: `  workflow: 6,`,
    checks: [heap, contract],
  }),
  deadlines({
    name: "void-lease-fires",
    breaks: "A lease that was renewed runs out at its old time.",
    rule: "§9",
    find: `return handoff?.deadline === deadline.at && handoff.status`,
    replace: `return handoff !== undefined && handoff.status`,
    checks: [contract, guarded],
  }),
  deadlines({
    name: "lease-of-a-worker",
    breaks: "A claim lease outlives the first committed step and takes the work away.",
    rule: "§4, I6",
    find: `handoff.status === (deadline.kind === "offer" ? "offered" : "claimed")`,
    replace: `handoff.status !== "completed"`,
    checks: [contract, guarded],
    equivalent:
      "whoever moves a handoff out of the state that its lease is of also takes the lease from it, so no deadline that still stands in the handoff is of another state",
  }),
  deadlines({
    name: "deadlines-after-a-restart",
    breaks: "An orphan's release is forgotten when the state is read back.",
    rule: "§9, I9",
    find: `    if (step.deadline !== null) state.deadlines.add({ at: step.deadline, kind: kindOf(step), id: step.stepId })`,
    replace: `    if (step.deadline === 0) state.deadlines.add({ at: step.deadline, kind: kindOf(step), id: step.stepId })`,
    checks: [heap, timed, contract],
  }),
  deadlines({
    name: "void-deadlines-are-dropped",
    breaks: "Memory grows with every heartbeat.",
    rule: "§10",
    find: `if (state.deadlines.size > 4 * open + 64) rebuildDeadlines(state)`,
    replace: `if (state.deadlines.size > 1_000_000_000 * open) rebuildDeadlines(state)`,
    checks: [heap],
  }),
  context({
    name: "one-version-an-event",
    breaks: "An event that touches a session twice raises its version twice.",
    rule: "§12",
    find: `  if (session.versionSeq === context.seq) return\n`,
    replace: "",
    checks: [contract, guarded],
  }),
  holdings({
    name: "version-of-the-admitted",
    breaks: "A session whose queued step is admitted by another's receipt keeps its version.",
    rule: "§12",
    find: `    touch(must(state.sessions, step.sessionId, "session"), context)\n`,
    replace: "",
    checks: [contract, guarded],
  }),
  steps({
    name: "version-of-the-late",
    breaks: "A late receipt changes the version of a dead session.",
    rule: "§12",
    find: `  if (!late) touch(session, context)`,
    replace: `  touch(session, context)`,
    checks: [contract, guarded],
  }),
  holdings({
    name: "forgets-the-owner-of-an-orphan",
    breaks: "The state forgets a dead session that an orphan still leans on.",
    rule: "§10",
    find: `session.children.size + session.offers.size + session.steps.size + session.owns.size > 0`,
    replace: `session.children.size + session.offers.size + session.owns.size > 0`,
    checks: [contract, guarded],
  }),
  holdings({
    name: "forgets-an-ancestor",
    breaks: "The state forgets a dead session that living descendants lean on.",
    rule: "§10",
    find: `session.children.size + session.offers.size + session.steps.size + session.owns.size > 0`,
    replace: `session.offers.size + session.steps.size + session.owns.size > 0`,
    checks: [contract, guarded],
  }),
  holdings({
    name: "forgets-nobody",
    breaks: "The state keeps every session that ever was.",
    rule: "§10",
    find: `    state.sessions.delete(at)\n`,
    replace: "",
    checks: [{ file: "test/runtime/idle.test.ts" }, contract],
  }),
  holdings({
    name: "order-of-letting-go",
    breaks: "A state that was read back lets go in another order than the one that never left.",
    rule: "I9",
    find: `[...session.owns].sort()`,
    replace: `[...session.owns]`,
    checks: [snapshots],
  }),
  snapshot({
    name: "snapshot-without-the-killed-root",
    breaks: "After a snapshot a workflow whose root was killed never ends.",
    rule: "§10, I9",
    find: `const { seq, status, endedAt, killId, rootKillId, limits, resourcesForgotten } = stored
  Object.assign(state, { seq, status, endedAt, killId, rootKillId, limits, resourcesForgotten })`,
    replace: `const { seq, status, endedAt, killId, limits, resourcesForgotten } = stored
  Object.assign(state, { seq, status, endedAt, killId, limits, resourcesForgotten })`,
    checks: [restored, snapshots],
  }),
  snapshot({
    name: "snapshot-without-raised-limits",
    breaks: "After a snapshot the limits are those of the definition again.",
    rule: "§10, I9",
    find: `killId, rootKillId, limits, resourcesForgotten })`,
    replace: `killId, rootKillId, resourcesForgotten })`,
    checks: [restored, snapshots],
  }),
  snapshot({
    name: "snapshot-without-raised-role-limits",
    breaks: "After a snapshot the limits of a role are those of the definition again.",
    rule: "§10, I9",
    find: `  for (const [role, roleLimits] of stored.roleLimits) state.roleLimits.set(role, roleLimits)\n`,
    replace: "",
    checks: [restored, snapshots],
  }),
  snapshot({
    name: "snapshot-without-what-is-owned",
    breaks: "After a snapshot a session does not know what it owns, and never lets go of it.",
    rule: "§10, I9",
    find: `    if (resource.owner !== null) state.sessions.get(resource.owner)?.owns.add(key)\n`,
    replace: "",
    checks: [restored, snapshots],
  }),
  snapshot({
    name: "snapshot-without-open-kills",
    breaks: "After a snapshot a kill with unresolved orphans is called quiescent.",
    rule: "§10, I9",
    find: `  for (const [id, kill] of stored.kills) state.kills.set(id, kill)\n`,
    replace: "",
    checks: [restored, snapshots],
  }),
  snapshot({
    name: "snapshot-without-what-was-put-away",
    breaks: "After a snapshot the counters of a resource that was put away are never read back.",
    rule: "§6, I9",
    find: `killId, rootKillId, limits, resourcesForgotten })`,
    replace: `killId, rootKillId, limits })`,
    checks: [restored, snapshots],
  }),
  snapshot({
    name: "snapshot-without-free-resources",
    breaks: "After a snapshot free resources are never put away.",
    rule: "§10, I9",
    find: `  for (const key of stored.idle) state.idle.add(key)\n`,
    replace: "",
    checks: [restored, snapshots],
  }),
]
