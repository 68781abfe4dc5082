/**
 * I1 to I13 (semantics.md §11), each over what a sequence left behind: observations, answers and, where the system
 * shows one, the journal. They do not trust the model's verdicts; where they need a figure that nobody shows (the
 * estimate of a step) they look it up in the model's memory.
 */
import assert from "node:assert/strict"
import type { JournalEvent } from "../../machines/events.ts"
import type { Evidence, Moment } from "./harness.ts"
import type { Counter, Observation, WorkflowObservation } from "./observe.ts"

const openHandoff = ["offered", "claimed", "in_progress"]
const isWaiting = (status: string): boolean => status === "queued" || status === "awaiting_approval"
const each = (moment: { readonly seen: Observation }) => Object.entries(moment.seen.workflows)
const pairs = (evidence: Evidence): ReadonlyArray<readonly [string, WorkflowObservation, WorkflowObservation]> =>
  evidence.moments.slice(1).flatMap((moment, index) =>
    each(moment).flatMap(([id, after]) => {
      const before = evidence.moments[index]?.seen.workflows[id]
      return before === undefined ? [] : [[id, before, after] as const]
    }),
  )
const events = (evidence: Evidence): ReadonlyArray<readonly [string, ReadonlyArray<JournalEvent>]> =>
  Object.entries(evidence.events ?? {})
const modeOf = (evidence: Evidence, name: string) =>
  evidence.definition.resources.find((one) => one.name === name)?.mode

/** I1: a handoff generation has at most one claimant, ever. */
const I1 = (evidence: Evidence): void => {
  const claimants = new Map<string, string>()
  const note = (handoff: string, session: string) => {
    const first = claimants.get(handoff) ?? session
    assert.equal(session, first, `I1: ${handoff} has one claimant`)
    claimants.set(handoff, first)
  }
  for (const moment of evidence.moments)
    for (const [id, seen] of each(moment))
      for (const one of seen.handoffs)
        if (one.claimant !== null) note(`${id} ${one.id} ${one.generation}`, one.claimant)
  for (const [id, list] of events(evidence))
    for (const { body } of list)
      if (body._tag === "handoff.claimed") note(`${id} ${body.handoffId} ${body.generation}`, body.sessionId)
}

const total = (numbers: ReadonlyArray<number>): number => numbers.reduce((sum, n) => sum + n, 0)
const fill = ({ used, reserved }: Counter): number => used + reserved

/** I2: used + reserved ≤ limit, except cost and tokens by the measured overshoot of settled actuals. */
const I2 = (evidence: Evidence): void => {
  for (const { seen, world } of evidence.moments)
    for (const [id, one] of Object.entries(seen.workflows))
      for (const role of [null, ...Object.keys(one.ledger.roles)]) {
        const workflow = world.workflows.find((other) => other.id === id)
        const limits = role === null ? workflow?.limits : workflow?.roleLimits[role]
        const ledger = role === null ? one.ledger.workflow : one.ledger.roles[role]
        if (limits === undefined || ledger === undefined) continue
        const entries = world.entries.filter(
          (entry) => entry.workflowId === id && (role === null || entry.role === role),
        )
        const within = (counter: Counter, max: number | null, over: number, name: string) =>
          assert.ok(
            max === null || fill(counter) <= max + over,
            `I2: ${name} of ${role ?? id} is ${fill(counter)} of ${max}`,
          )
        within(ledger.sessions, limits.maxSessions, 0, "sessions")
        within(ledger.activeSessions, limits.maxActiveSessions, 0, "activeSessions")
        within(ledger.steps, limits.maxSteps, 0, "steps")
        within(ledger.openHandoffs, limits.maxOpenHandoffs, 0, "openHandoffs")
        within(ledger.cost, limits.maxCost, total(entries.map((entry) => entry.overshootCost)), "cost")
        within(ledger.tokens, limits.maxTokens, total(entries.map((entry) => entry.overshootTokens)), "tokens")
      }
}

/** I3: Σ reservations = reservations of unresolved steps and open preflights. None leaks, none is returned twice. */
const I3 = (evidence: Evidence): void => {
  for (const { seen, world } of evidence.moments)
    for (const [id, one] of Object.entries(seen.workflows))
      for (const role of [null, ...Object.keys(one.ledger.roles)]) {
        const ledger = role === null ? one.ledger.workflow : one.ledger.roles[role]
        const member = (session: string) =>
          role === null || one.sessions.find((other) => other.id === session)?.role === role
        const unresolved = one.steps.filter((step) => member(step.session))
        const known = unresolved.map((step) =>
          world.steps.find((other) => other.workflowId === id && other.id === step.id),
        )
        const open = world.prepared.filter(
          (other) => other.workflowId === id && other.status === "open" && member(other.sessionId),
        )
        assert.equal(ledger?.steps.reserved, unresolved.length, `I3: reserved steps of ${role ?? id}`)
        assert.equal(
          ledger?.cost.reserved,
          total([...known, ...open].map((other) => other?.cost ?? 0)),
          `I3: reserved cost of ${role ?? id}`,
        )
        assert.equal(
          ledger?.tokens.reserved,
          total([...known, ...open].map((other) => other?.tokens ?? 0)),
          `I3: reserved tokens of ${role ?? id}`,
        )
      }
}

/**
 * I4: at most one unresolved step on an `exclusive_pending` resource; all unresolved steps on a `single_writer` one
 * are its owner's; on a `serial_only` one only the first runs, so that commits happen in order. Fences and versions
 * only grow.
 */
const I4 = (evidence: Evidence): void => {
  for (const moment of evidence.moments)
    for (const [, seen] of each(moment))
      for (const resource of seen.resources) {
        const holders = resource.holders.map((id) => seen.steps.find((step) => step.id === id))
        const label = `I4: ${resource.name} ${resource.key}`
        const mode = modeOf(evidence, resource.name)
        if (mode === "exclusive_pending") assert.ok(holders.length <= 1, `${label} has one holder`)
        if (mode === "single_writer")
          for (const step of holders) assert.equal(step?.session, resource.owner, `${label}: its steps are its owner's`)
        else assert.equal(resource.owner, null, `${label} is nobody's`)
        if (mode === "serial_only")
          for (const step of holders.slice(1))
            assert.ok(step !== undefined && isWaiting(step.status), `${label}: one runs at a time`)
      }
  for (const [, before, after] of pairs(evidence))
    for (const was of before.resources) {
      const is = after.resources.find((one) => one.name === was.name && one.key === was.key)
      // What was only queued for and never granted is not listed any more.
      const { fence, version } = is ?? { fence: 0, version: 0 }
      assert.ok(fence >= was.fence && version >= was.version, `I4: ${was.name} ${was.key} only grows`)
    }
}

const ancestors = (seen: WorkflowObservation, id: string): ReadonlyArray<string> => {
  const parent = seen.sessions.find((one) => one.id === id)?.parent ?? null
  return parent === null ? [] : [parent, ...ancestors(seen, parent)]
}

/**
 * I5: after a kill's event nothing of a killed session follows, save late receipts and resolutions; no descendant of
 * it is created. Of a session kill that means no child: a living child of it may go on to have children (semantics.md
 * §8).
 */
const I5 = (evidence: Evidence): void => {
  for (const [id, before, after] of pairs(evidence)) {
    for (const was of before.sessions.filter((one) => one.status === "killed"))
      assert.deepEqual(
        after.sessions.find((one) => one.id === was.id),
        was,
        `I5: ${was.id} stays as it was killed`,
      )
    const dead = (session: string | null) => before.sessions.find((one) => one.id === session)?.status === "killed"
    for (const session of after.sessions.filter((one) => !before.sessions.some((was) => was.id === one.id))) {
      assert.ok(!dead(session.parent), `I5: ${session.id} was born to the dead ${session.parent}`)
      const line = ancestors(after, session.id)
      const felled = evidence.moments
        .at(-1)
        ?.world.kills.filter(
          (kill) =>
            kill.workflowId === id &&
            kill.scope === "subtree" &&
            kill.cause === "command" &&
            before.kills.some((seen) => seen.id === kill.id),
        )
      for (const kill of felled ?? [])
        assert.ok(!line.includes(kill.sessionId ?? ""), `I5: ${session.id} under ${kill.sessionId}`)
    }
  }
  for (const [, list] of events(evidence)) {
    const dead = new Map<string, number>()
    for (const { seq, body } of list) {
      const sender =
        "sessionId" in body && body._tag !== "killed" && body._tag !== "handoff.reclaimed" ? body.sessionId : null
      const late = body._tag === "usage.settled" || (body._tag === "steps.resolved" && body.late === true)
      if (sender !== null && dead.has(sender))
        assert.ok(late, `I5: ${body._tag} at ${seq} by ${sender}, dead since ${dead.get(sender)}`)
      if (body._tag === "killed" && body.sessionId !== null && !dead.has(body.sessionId)) dead.set(body.sessionId, seq)
      if (body._tag === "handoff.reclaimed") dead.set(body.sessionId, seq)
    }
  }
}

/** I6: no handoff leaves `in_progress` backwards; no terminal state is left; generations only grow. */
const I6 = (evidence: Evidence): void => {
  for (const [id, before, after] of pairs(evidence)) {
    if (before.status !== "active") assert.equal(after.status, before.status, `I6: ${id} stays ${before.status}`)
    for (const was of before.sessions) {
      const is = after.sessions.find((one) => one.id === was.id)
      assert.ok(is !== undefined && is.version >= was.version, `I6: ${was.id} is not lost`)
      if (was.status !== "active") assert.equal(is.status, was.status, `I6: ${was.id} stays ${was.status}`)
    }
    for (const was of before.handoffs) {
      const is = after.handoffs.find((one) => one.id === was.id)
      assert.ok(is !== undefined && is.generation >= was.generation, `I6: ${was.id} is not lost`)
      if (!openHandoff.includes(was.status)) assert.deepEqual(is, was, `I6: ${was.id} stays ${was.status}`)
      if (was.status === "in_progress")
        assert.ok(
          is.status !== "offered" && is.status !== "claimed" && is.generation === was.generation,
          `I6: ${was.id} went back`,
        )
    }
  }
}

/** I7: every acknowledged command is in the journal; every journalled event came from one command. */
const I7 = (evidence: Evidence): void => {
  if (evidence.events === undefined) return
  const journal = events(evidence).flatMap(([, list]) => list)
  const sent = new Set(evidence.moments.flatMap((moment) => moment.key ?? []))
  for (const { key, seq } of journal)
    assert.ok(key === undefined || sent.has(key), `I7: event ${seq} names the unknown key ${key}`)
  const names = (tag: JournalEvent["body"]["_tag"], id: unknown) =>
    journal.some(({ body }) => body._tag === tag && Object.values(body).some((value) => value === id))
  for (const { command, answered, verdict } of evidence.moments) {
    if (!answered.ok || !verdict.ok || verdict.replayed) continue
    const answer = answered.answer as Record<string, unknown>
    if (command._tag === "createRoot")
      assert.ok(names("workflow.created", answer.sessionId), "I7: a created root is journalled")
    if (command._tag === "claim") assert.ok(names("handoff.claimed", answer.sessionId), "I7: a claim is journalled")
    if (command._tag === "offer") assert.ok(names("handoff.offered", answer.handoffId), "I7: an offer is journalled")
    if (command._tag === "preflight")
      assert.ok(names("budget.reserved", answer.preparedRequestId), "I7: a preflight is journalled")
    if (command._tag === "propose")
      for (const step of answer.steps as ReadonlyArray<{ stepId: string }>)
        assert.ok(
          journal.some(
            ({ body }) => body._tag === "steps.proposed" && body.steps.some((one) => one.stepId === step.stepId),
          ),
          `I7: step ${step.stepId} is journalled`,
        )
  }
}

const changes = (before: Moment | undefined, after: Moment): boolean =>
  JSON.stringify(before?.seen) !== JSON.stringify(after.seen)

/** I8: the same idempotency key changes state at most once, and gets the same answer each time. */
const I8 = (evidence: Evidence): void => {
  const answers = new Map<string, unknown>()
  evidence.moments.forEach((moment, index) => {
    const { key, answered, command, now } = moment
    if (key === undefined || !answered.ok) return
    const name = `${key} ${JSON.stringify(command)}`
    if (!answers.has(name)) return void answers.set(name, answered.answer)
    assert.deepEqual(answered.answer, answers.get(name), `I8: ${key} answers as before`)
    const before = evidence.moments[index - 1]
    // A deadline may have fired between the two: then the repeat is not what changed the state.
    const quiet = before !== undefined && !hasDeadline(before, now)
    if (quiet) assert.ok(!changes(before, moment), `I8: ${key} changed the state again`)
  })
  for (const [, list] of events(evidence)) {
    const settled = list.flatMap(({ key, body }) => (key !== undefined && body._tag === "usage.settled" ? [key] : []))
    assert.equal(new Set(settled).size, settled.length, "I8: usage is settled once a key")
    const batches = new Map<string, number>()
    for (const { key, at, body } of list) {
      // A refused proposal settles its usage and may come again with its key: that event is of another moment, and once.
      if (key === undefined || body._tag === "usage.settled") continue
      assert.equal(at, batches.get(key) ?? at, `I8: the events of ${key} are of one moment`)
      batches.set(key, at)
    }
  }
}
const hasDeadline = ({ world }: Moment, now: number): boolean =>
  [
    ...world.workflows.filter((one) => one.status === "active"),
    ...world.handoffs.filter((one) => openHandoff.includes(one.status)),
    ...world.prepared.filter((one) => one.status === "open"),
    ...world.steps.filter((one) => one.status === "orphaned"),
  ].some((one) => one.deadline !== null && one.deadline <= now)

/** I9: `seq` has no gap and no duplicate; the hash chain verifies; fold(events) = snapshot = projections. */
const I9 = (evidence: Evidence): void => {
  assert.deepEqual(evidence.problems, [], "I9: the store verifies")
  for (const [id, list] of events(evidence))
    list.forEach(({ seq }, index) => assert.equal(seq, index + 1, `I9: ${id} has event ${index + 1}`))
}

/** I10: live + terminal = ever created, for sessions and handoffs; a completed parent has no live descendant. */
const I10 = (evidence: Evidence): void => {
  for (const { seen, answered, command } of evidence.moments) {
    for (const [id, one] of Object.entries(seen.workflows)) {
      const { workflow, roles } = one.ledger
      const active = one.sessions.filter((session) => session.status === "active")
      assert.equal(workflow.sessions.used, one.sessions.length, `I10: sessions of ${id}`)
      assert.equal(workflow.activeSessions.used, active.length, `I10: active sessions of ${id}`)
      assert.equal(total(Object.values(roles).map((role) => role.sessions.used)), one.sessions.length, `I10: by role`)
      const open = one.handoffs.filter((handoff) => openHandoff.includes(handoff.status))
      assert.equal(workflow.openHandoffs.used, open.length, `I10: open handoffs of ${id}`)
      for (const session of active)
        for (const ancestor of ancestors(one, session.id))
          assert.notEqual(
            one.sessions.find((other) => other.id === ancestor)?.status,
            "completed",
            `I10: ${ancestor} outlives ${session.id}`,
          )
      if (one.status !== "active") assert.deepEqual([active.length, open.length], [0, 0], `I10: nothing lives in ${id}`)
    }
    if (answered.ok && command._tag === "claim")
      assert.ok(
        each({ seen }).some(([, one]) =>
          one.sessions.some((s) => s.id === (answered.answer as { sessionId: string }).sessionId),
        ),
        "I10: a claimant exists",
      )
  }
}

/** I11: a queued step has an unresolved step before it on one of its queues: no wake-up was lost. */
const I11 = (evidence: Evidence): void => {
  for (const moment of evidence.moments)
    for (const [, seen] of each(moment))
      for (const step of seen.steps.filter((one) => one.status === "queued")) {
        const queues = seen.resources.filter(
          (one) => modeOf(evidence, one.name) === "serial_only" && one.holders.includes(step.id),
        )
        assert.ok(
          queues.some((queue) => queue.holders[0] !== step.id),
          `I11: ${step.id} waits for nothing`,
        )
      }
}

/** I12: no tenant reads or changes another's workflow. */
const I12 = (evidence: Evidence): void => {
  for (const { answered, before, after } of evidence.strangers) {
    assert.ok(
      !answered.ok && /^(workflow|session)_not_found$/.test(answered.code),
      `I12: a stranger was told ${JSON.stringify(answered)}`,
    )
    assert.deepEqual(after, before, "I12: a stranger changed something")
  }
}

/**
 * I13: a step that awaits approval holds no token of its own, is past neither its deadline nor its session, and leaves that
 * state once: to be admitted by an operator's approval, or to be aborted.
 */
const I13 = (evidence: Evidence): void => {
  for (const { seen, now } of evidence.moments)
    for (const one of Object.values(seen.workflows))
      for (const step of one.steps) {
        if (step.status !== "awaiting_approval") continue
        assert.ok(step.approvalDeadline !== null && step.approvalDeadline > now, `I13: ${step.id} waits past its time`)
        const session = one.sessions.find(({ id }) => id === step.session)
        assert.equal(session?.status, "active", `I13: ${step.id} of a session that has ended`)
      }
  for (const [, before, after] of pairs(evidence))
    for (const is of after.steps) {
      const was = before.steps.find(({ id }) => id === is.id)
      if (is.status === "awaiting_approval" && was !== undefined)
        assert.equal(was.status, "awaiting_approval", `I13: ${is.id} awaits approval again`)
    }
  const asks = (id: string, session: string, tool: string): boolean => {
    const role = evidence.moments.at(-1)?.seen.workflows[id]?.sessions.find((one) => one.id === session)?.role
    const contract = evidence.definition.roles.find(({ name }) => name === role)?.tools.find((one) => one.tool === tool)
    return (contract?.rest.checkpoint ?? false) !== false
  }
  for (const [id, list] of events(evidence)) {
    const awaiting = new Set<string>()
    for (const { seq, actor, body } of list) {
      if (body._tag === "steps.proposed")
        for (const { stepId, tool, status } of body.steps) {
          const asked = asks(id, body.sessionId, tool)
          assert.equal(status === "awaiting_approval", asked, `I13: ${stepId} of ${tool} is proposed as ${status}`)
          if (asked) awaiting.add(stepId)
        }
      if (body._tag === "step.approved") {
        assert.ok(awaiting.delete(body.stepId), `I13: ${body.stepId} is approved at ${seq} and awaits nothing`)
        assert.notEqual(actor, "system", `I13: ${body.stepId} is approved by a person`)
      }
      if ("admitted" in body)
        for (const { stepId } of body.admitted ?? [])
          assert.ok(!awaiting.has(stepId), `I13: ${stepId} is admitted at ${seq} without approval`)
      if (body._tag === "steps.resolved")
        for (const { stepId, outcome } of body.steps)
          assert.ok(!awaiting.delete(stepId) || outcome === "aborted", `I13: ${stepId} is ${outcome} without approval`)
    }
  }
}

export const invariants = { I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13 } as const
