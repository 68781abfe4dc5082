/**
 * What is left in a store, compared with what its users were told.
 *
 * Every acknowledged command must be in the journal, with that sequence and that content (I7), under one key at most once (I8);
 * nothing may be there that nobody sent; the store must verify (I9), and the whole history must fold with I1 to I6, I10 and
 * I11 holding after every event.
 */
import assert from "node:assert/strict"
import { Effect } from "effect"
import { compile, makeRules } from "../../src/definition/index.ts"
import type { EventBody, EventTag, JournalEvent } from "../../src/machines/events.ts"
import { type Tenant, WorkflowId } from "../../src/machines/ids.ts"
import type { Rules } from "../../src/machines/rules.ts"
import type { Journal } from "../../src/runtime/Journal.ts"
import { verifyTenant } from "../../src/runtime/verify.ts"
import type { Evidence } from "../../src/testing/model/harness.ts"
import { invariants } from "../../src/testing/model/invariants.ts"
import { checkFold } from "../machines/FoldChecker.ts"
import type { Acknowledged, CommandName, Sent } from "./lines.ts"
import { raceTeam } from "./raceTeam.ts"
import { withJournal } from "./stores.ts"
import { teamYaml } from "./team.ts"

export interface Audit {
  readonly workflows: number
  readonly events: number
  /** Events of deadlines that fired. */
  readonly fired: number
  readonly problems: ReadonlyArray<string>
}

const rulesOf = (text: string, files: Readonly<Record<string, string>> = {}): Rules => {
  const compiled = compile({ file: "workflow.yaml", text, files })
  if (!compiled.ok) throw new Error("the definition does not compile")
  return makeRules(compiled.artifact)
}
const teamRules = rulesOf(teamYaml)
export const raceDefinition = rulesOf(raceTeam.workflowYaml, raceTeam.files)

/** The events that a command may have become; `undefined` where it may also have changed nothing. */
const tags: Readonly<Record<CommandName, ReadonlyArray<EventTag>>> = {
  createRoot: ["workflow.created"],
  claim: ["handoff.claimed"],
  offer: ["handoff.offered"],
  preflight: ["budget.reserved"],
  propose: ["steps.proposed", "usage.settled"],
  receipt: ["steps.resolved"],
  heartbeat: ["lease.renewed"],
  release: ["resources.released"],
  complete: ["session.completed"],
  fail: ["session.failed"],
  completeHandoff: ["session.completed"],
  failHandoff: ["session.failed"],
  reclaim: ["handoff.reclaimed"],
  withdraw: ["handoff.withdrawn"],
  // What is dead already answers with the cascade that ended it.
  kill: ["killed", "session.failed", "handoff.reclaimed"],
  resolveStep: ["steps.resolved"],
  approveStep: ["step.approved"],
  rejectStep: ["steps.resolved"],
  raiseLimits: ["limits.raised"],
}

const eventsOf = async (
  journal: Journal["Service"],
  tenant: Tenant,
  workflowId: string,
): Promise<ReadonlyArray<JournalEvent>> => {
  const entries = await Effect.runPromise(journal.read(tenant, WorkflowId.make(workflowId), 0, 1_000_000))
  return entries.map((entry) => JSON.parse(entry.text) as JournalEvent)
}

export const audit = (
  store: string,
  tenant: Tenant,
  acknowledged: ReadonlyArray<Acknowledged>,
  /** All that was ever sent, where it is known. */
  sent?: ReadonlyArray<Sent>,
  rules: Rules = teamRules,
): Promise<Audit> =>
  judged(store, tenant, acknowledged, sent, rules).catch((error: unknown) => ({
    workflows: 0,
    events: 0,
    fired: 0,
    problems: [`the store can't be read: ${String(error)} ${JSON.stringify(error)}`],
  }))

const judged = (
  store: string,
  tenant: Tenant,
  acknowledged: ReadonlyArray<Acknowledged>,
  sent: ReadonlyArray<Sent> | undefined,
  rules: Rules,
): Promise<Audit> =>
  withJournal(store, async (journal, run) => {
    const problems: Array<string> = []
    const verified = await run(verifyTenant(journal, tenant))
    for (const { workflowId, seq, problem } of verified.problems)
      problems.push(`${workflowId} ${seq ?? ""}: ${problem}`)
    const events: Record<string, ReadonlyArray<JournalEvent>> = {}
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof listed>> = await listed(journal, tenant, cursor)
      for (const { workflowId } of page.items) events[workflowId] = await eventsOf(journal, tenant, workflowId)
      cursor = page.cursor
    } while (cursor !== null)
    const all = Object.values(events).flat()
    const note = (what: string, check: () => void): void => {
      try {
        check()
      } catch (error) {
        problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    for (const [workflowId, list] of Object.entries(events)) note(workflowId, () => void checkFold(rules, list))
    const evidence: Evidence = {
      definition: rules.definition as never,
      moments: [],
      problems: [],
      strangers: [],
      events,
    }
    for (const check of [invariants.I1, invariants.I5, invariants.I9]) note(check.name, () => check(evidence))
    for (const one of acknowledged)
      note(`${one.workflowId} ${one.command} ${one.n}`, () => isJournalled(one, events[one.workflowId] ?? []))
    if (sent !== undefined) note("what nobody sent", () => wasSent(sent, events))
    return {
      workflows: verified.workflows,
      events: all.length,
      fired: all.filter((event) => event.actor === "system").length,
      problems,
    }
  })

const listed = (journal: Journal["Service"], tenant: Tenant, cursor: string | null) =>
  Effect.runPromise(journal.listWorkflows(tenant, { limit: 500, ...(cursor === null ? {} : { cursor }) }))

/** I7, first half. */
const isJournalled = (one: Acknowledged, events: ReadonlyArray<JournalEvent>): void => {
  const { command, input, answer, key } = one
  const own = key === undefined ? [] : events.filter((event) => event.key === key)
  const event = find(one, events, own)
  // A command that changed nothing has left nothing; what it names must be there all the same.
  if (event === undefined) {
    assert.ok(
      changesNothing(one, events),
      `I7: it was acknowledged and is not in the journal: ${JSON.stringify(answer)}`,
    )
    return
  }
  const { body } = event
  assert.ok(tags[command].includes(body._tag), `I7: it became ${body._tag}`)
  const named = body as EventBody & Readonly<Record<string, unknown>>
  for (const member of ["sessionId", "handoffId", "preparedRequestId", "killId", "toRole"])
    if (
      named[member] !== undefined &&
      named[member] !== null &&
      command !== "completeHandoff" &&
      command !== "failHandoff"
    ) {
      const said = answer[member] ?? input[member]
      if (said !== undefined && said !== null) assert.equal(named[member], said, `I7: ${member} of event ${event.seq}`)
    }
  if (body._tag === "steps.proposed") {
    const said = (answer.steps as ReadonlyArray<{ stepId: string; status: string }>).map(
      (step) => `${step.stepId} ${step.status}`,
    )
    assert.deepEqual(
      body.steps.map((step) => `${step.stepId} ${step.status}`),
      said,
      `I7: the steps of event ${event.seq}`,
    )
  }
  if (body._tag === "handoff.offered") assert.deepEqual(body.summary, input.summary ?? null, "I7: the summary")
  if (body._tag === "session.completed" && command === "complete")
    assert.deepEqual(body.result, input.result ?? null, "I7: the result")
}

const find = (
  { command, answer, input }: Acknowledged,
  events: ReadonlyArray<JournalEvent>,
  own: ReadonlyArray<JournalEvent>,
): JournalEvent | undefined => {
  const fitting = own.find(({ body }) => tags[command].includes(body._tag) && body._tag !== "usage.settled")
  if (fitting !== undefined) return fitting
  if (typeof answer.seq === "number") {
    const at = events[answer.seq - 1]
    return at !== undefined && tags[command].includes(at.body._tag) && isAbout(at.body, input) ? at : undefined
  }
  if (command === "createRoot") return events[0]
  if (command === "claim")
    return events.find(({ body }) => body._tag === "handoff.claimed" && body.sessionId === answer.sessionId)
  if (command === "heartbeat")
    return events.find(
      ({ body }) =>
        body._tag === "lease.renewed" && body.sessionId === input.sessionId && body.deadline === answer.claimDeadline,
    )
  return undefined
}

/** What changed nothing is answered at the head of that moment, which may be the same of another step or session. */
const isAbout = (body: EventBody, input: Acknowledged["input"]): boolean => {
  if (body._tag === "lease.renewed") return body.sessionId === input.sessionId
  if (body._tag === "step.approved") return body.stepId === input.stepId
  if (body._tag !== "steps.resolved") return true
  const named = [input, ...((input.receipts ?? []) as ReadonlyArray<Acknowledged["input"]>)].map((one) => one.stepId)
  return body.steps.some((step) => named.includes(step.stepId))
}

const idle: ReadonlyArray<CommandName> = ["receipt", "raiseLimits", "resolveStep", "approveStep", "rejectStep"]

/** Commands that may be acknowledged without an event of their own. */
const changesNothing = ({ command, answer }: Acknowledged, events: ReadonlyArray<JournalEvent>): boolean => {
  const seq = typeof answer.seq === "number" ? answer.seq : 0
  if (command === "heartbeat") return true
  // A receipt that repeats what is known, or a raise to what is: answered at the head of that moment.
  return idle.includes(command) && seq <= events.length
}

/** I7, second half: every event came from a command that somebody sent, and one key from one command. */
const wasSent = (sent: ReadonlyArray<Sent>, events: Readonly<Record<string, ReadonlyArray<JournalEvent>>>): void => {
  const byKey = new Map(sent.flatMap((one) => (one.key === undefined ? [] : [[one.key, one] as const])))
  for (const [workflowId, list] of Object.entries(events))
    for (const { key, seq, body, actor } of list) {
      if (key === undefined) continue
      const one = byKey.get(key)
      assert.ok(one !== undefined, `I7: event ${seq} of ${workflowId} has the key ${key}, which nobody sent`)
      assert.equal(workflowId, one.workflowId, `I7: event ${seq} is where its command was sent`)
      assert.ok(tags[one.command].includes(body._tag), `I7: ${one.command} became ${body._tag}, by ${actor}`)
    }
}
