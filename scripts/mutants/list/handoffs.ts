/** Guards of offers, claims, reclaims and completions (semantics.md §2 to §4). */
import { contract, inFile, type Mutant } from "../Mutant.ts"

const handoffs = inFile("src/machines/decide/handoffs.ts")
const sessions = inFile("src/machines/decide/sessions.ts")
const guards = inFile("src/machines/decide/guards.ts")
const receipts = inFile("src/machines/decide/receipts.ts")
const machine = inFile("src/machines/lifecycle/handoff.machine.ts")
const evolveSessions = inFile("src/machines/evolve/sessions.ts")
const guarded = { file: "test/machines/guards.test.ts" }
const lifecycle = { file: "test/machines/lifecycle.test.ts" }

export const handoffMutants: ReadonlyArray<Mutant> = [
  machine({
    name: "claim-of-the-claimed",
    breaks: "A claimed handoff is given to a second claimant.",
    rule: "§4, I1",
    find: `        PROGRESS: "in_progress",`,
    replace: `        PROGRESS: "in_progress",\n        CLAIM: "claimed",`,
    checks: [lifecycle, contract],
  }),
  handoffs({
    name: "claim-state-unchecked",
    breaks: "A claim is decided without looking at the handoff's state.",
    rule: "§4, I1",
    find: `  const forbidden = forbiddenMove(handoff, "CLAIM")\n  if (forbidden !== undefined) return refused(forbidden)`,
    replace: `  const forbidden = forbiddenMove(handoff, "CLAIM")\n  if (forbidden !== undefined && !isOpen(handoff)) return refused(forbidden)`,
    checks: [contract, guarded],
  }),
  guards({
    name: "stale-generation",
    breaks: "A command that means an earlier generation acts on the present one.",
    rule: "§4",
    find: `command.generation !== handoff.generation)`,
    replace: `command.generation > handoff.generation)`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "claim-role",
    breaks: "A handoff is claimed in another role than the one it is for.",
    rule: "§4",
    find: `if (command.role !== handoff.toRole)`,
    replace: `if (state.rules.role(command.role) === undefined)`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "claim-parent",
    breaks: "A claim names a parent that did not offer the handoff.",
    rule: "§4",
    find: `if (command.parentSessionId !== handoff.fromSessionId)`,
    replace: `if (!state.sessions.has(command.parentSessionId))`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "claim-after-the-end",
    breaks: "A claim on a workflow that is over is not told so.",
    rule: "§8",
    find: `  const ended = activeWorkflow(state)
  if (ended !== undefined) return refused(ended)
  const handoff = namedHandoff(state, command, facts)
  if (isRefusal(handoff)) return refused(handoff)
  const forbidden = forbiddenMove(handoff, "CLAIM")`,
    replace: `  const handoff = namedHandoff(state, command, facts)
  if (isRefusal(handoff)) return refused(handoff)
  const forbidden = forbiddenMove(handoff, "CLAIM")`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "claim-under-a-known-id",
    breaks: "A session id that an ended session bore is decided to be new, again and again.",
    rule: "§3",
    find: `state.sessions.has(sessionId) || facts.archive.sessions.has(sessionId)`,
    replace: `state.sessions.has(sessionId)`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "claim-repeated",
    breaks: "The winner of a claim that asks again is refused instead of getting its session.",
    rule: "§4, I8",
    find: `if (before !== undefined) return before`,
    replace: `if (before !== undefined && before._tag === "refused") return before`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "claim-repeated-by-the-dead",
    breaks: "A reclaimed claimant that claims again is told that it still holds the handoff.",
    rule: "§4, I5",
    find: `  if (session.status === "killed")\n    return no("session_killed"`,
    replace: `  if (session.status === "killed" && session.killId === null)\n    return no("session_killed"`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "offer-along-no-edge",
    breaks: "A role hands off to a role that the definition does not let it hand off to.",
    rule: "§4",
    find: `const edge = state.rules.edge(session.role, command.toRole)`,
    replace: `const edge = state.rules.edge(session.role, command.toRole) ?? state.rules.definition.handoffs[0]`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "summary-schema",
    breaks: "A summary that does not fit the schema of its edge crosses from parent to child.",
    rule: "§4",
    find: `if (problems !== undefined)`,
    replace: `if (problems !== undefined && problems.length > 99)`,
    checks: [{ file: "test/runtime/defect.test.ts" }, contract],
  }),
  handoffs({
    name: "offer-of-an-undeclared-resource",
    breaks: "A handoff binds a resource that the definition does not declare.",
    rule: "§5",
    find: `  for (const ref of content.resources)
    if (state.rules.resource(ref.name) === undefined) return refused(unknownResource(state, ref.name))
`,
    replace: "",
    checks: [contract, guarded],
  }),
  handoffs({
    name: "offer-repeated-with-other-content",
    breaks: "Another offer under a known id is answered as if it were the first.",
    rule: "§4",
    find: `if (before !== canonicalJson(content))`,
    replace: `if (known.toRole !== content.toRole)`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "reclaim-by-anyone",
    breaks: "A session takes back, or withdraws, what another has offered.",
    rule: "§12",
    find: `command.sessionId !== undefined && command.sessionId !== handoff.fromSessionId)`,
    replace: `command.sessionId !== undefined && !state.sessions.has(handoff.fromSessionId))`,
    checks: [contract, guarded],
  }),
  machine({
    name: "reclaim-in-progress",
    breaks: "Work that has committed a step is taken from its claimant.",
    rule: "§4, I6",
    find: `        refuse: { CLAIM: "handoff_already_claimed", RECLAIM: "handoff_in_progress", WITHDRAW: "handoff_in_progress" },`,
    replace: `        refuse: { CLAIM: "handoff_already_claimed", WITHDRAW: "handoff_in_progress" },`,
    checks: [lifecycle, contract],
  }),
  {
    name: "reclaim-until-completed",
    breaks: "A handoff in progress goes back to offered.",
    rule: "§4, I6",
    edits: [
      {
        file: "src/machines/lifecycle/handoff.machine.ts",
        find: `on: { COMPLETE: "completed", COMPLETE_ANY: "completed", FAIL: "failed", KILL: "killed" },`,
        replace: `on: { COMPLETE: "completed", COMPLETE_ANY: "completed", FAIL: "failed", KILL: "killed", RECLAIM: "offered" },`,
      },
      {
        file: "src/machines/lifecycle/handoff.machine.ts",
        find: `RECLAIM: "handoff_in_progress", `,
        replace: "",
      },
    ],
    checks: [contract, guarded],
  },
  handoffs({
    name: "reclaim-keeps-the-generation",
    breaks: "The next claimant has the generation of the one that was fenced.",
    rule: "§4, I1",
    find: `? handoff.generation + 1 : handoff.generation`,
    replace: `? handoff.generation : handoff.generation`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "max-attempts",
    breaks: "A handoff is offered once more than max_attempts allows.",
    rule: "§4",
    find: `handoff.generation >= edge.maxAttempts`,
    replace: `handoff.generation > edge.maxAttempts`,
    checks: [contract, guarded],
  }),
  handoffs({
    name: "reclaim-for-a-dead-parent",
    breaks: "A handoff whose offering session is dead is offered again, and a child of the dead is born.",
    rule: "§4, I5",
    find: `isLive(state, handoff.fromSessionId) ? "offered" : "killed"`,
    replace: `isLive(state, handoff.fromSessionId) || handoff.generation > 0 ? "offered" : "killed"`,
    checks: [contract, guarded],
  }),
  evolveSessions({
    name: "reclaim-spares-the-descendants",
    breaks: "What a reclaimed claimant has handed on lives and writes on.",
    rule: "§4, I5",
    find: `cascadeOfEvent(state, event, () => subtreeCascade(state, claimant))`,
    replace: `cascadeOfEvent(state, event, () => sessionCascade(state, claimant))`,
    checks: [contract, guarded],
  }),
  machine({
    name: "withdraw-of-the-claimed",
    breaks: "An offer is withdrawn from under its claimant.",
    rule: "§4",
    find: `        RECLAIM: "offered",\n`,
    replace: `        RECLAIM: "offered",\n        WITHDRAW: "withdrawn",\n`,
    checks: [lifecycle, contract],
  }),
  sessions({
    name: "completion-without-progress",
    breaks: "A claimant completes without a committed step, against its rule.",
    rule: "§4",
    find: `?.completion === "any" ?`,
    replace: `?.completion !== undefined ?`,
    checks: [contract, guarded],
  }),
  sessions({
    name: "completion-by-an-operator-without-progress",
    breaks: "An operator completes a handoff against its rule.",
    rule: "§4",
    find: `unfinished(state, named.session) ?? unearned(state, named.handoff)`,
    replace: `unfinished(state, named.session)`,
    checks: [contract, guarded],
  }),
  sessions({
    name: "completion-over-unresolved-steps",
    breaks: "A session completes while a step of it may still change the world.",
    rule: "§3",
    find: `if (session.steps.size > 0)`,
    replace: `if (session.steps.size > 1)`,
    checks: [contract, guarded],
  }),
  sessions({
    name: "completion-over-open-handoffs",
    breaks: "A session completes while somebody may still claim what it offered.",
    rule: "§3",
    find: `if (session.offers.size > 0)`,
    replace: `if (session.offers.size > 1)`,
    checks: [contract, guarded],
  }),
  sessions({
    name: "completion-over-living-descendants",
    breaks: "A parent completes before its children.",
    rule: "§3, I10",
    find: `if (hasLiveDescendant(state, session))`,
    replace: `if (hasLiveDescendant(state, session) && session.children.size === 0)`,
    checks: [contract, guarded],
  }),
  receipts({
    name: "progress-of-the-ancestors",
    breaks: "A manager that only delegates never makes progress, and its lease runs out under its working children.",
    rule: "§4",
    find: `at = at.parentSessionId === null ? undefined : state.sessions.get(at.parentSessionId)`,
    replace: `at = undefined`,
    checks: [contract, guarded],
  }),
  receipts({
    name: "progress-of-the-present-claimant",
    breaks: "A step makes progress on a handoff that its session has lost to a later claimant.",
    rule: "§4",
    find: `handoff?.status === "claimed" && handoff.sessionId === at.sessionId`,
    replace: `handoff?.status === "claimed"`,
    checks: [contract, guarded],
    equivalent:
      "only a reclaim puts a handoff into other hands, and it kills the claimant with all its descendants, so no living session has an ancestor that lost its handoff",
  }),
  sessions({
    name: "root-role",
    breaks: "A workflow begins with a role that may not be its root.",
    rule: "§3",
    find: `if (role === undefined || !role.root)`,
    replace: `if (role === undefined)`,
    checks: [contract, guarded],
  }),
  sessions({
    name: "workflow-exists",
    breaks: "A workflow that exists with other rules is answered as if it had been created with these.",
    rule: "§2",
    find: `root === undefined || command.definitionHash !== state.rules.hash || command.sessionId`,
    replace: `root === undefined || command.sessionId`,
    checks: [contract, guarded],
  }),
  sessions({
    name: "workflow-exists-with-another-root",
    breaks: "Two processes that create one workflow both believe that its root is theirs.",
    rule: "§2",
    find: `!== state.rules.hash || command.sessionId !== state.rootSessionId)`,
    replace: `!== state.rules.hash)`,
    checks: [contract, guarded],
  }),
]
