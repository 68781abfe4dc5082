/** Histories of the real runtime pass, however their calls overlap; histories that no runtime could have do not. */
import { expect, it } from "vitest"
import { checkHistory, type HistoryReport } from "../../../src/testing/checkers/checkHistory.ts"
import { HistoryRecorder, type Recorded } from "../../../src/testing/checkers/history.ts"
import { Race } from "../../crash/Race.ts"
import { Random } from "../../crash/Random.ts"
import { raceRules } from "../../crash/raceTeam.ts"
import { memoryPlace, openRuntime } from "../../runtime/open.ts"
import { VirtualClock } from "../../runtime/VirtualClock.ts"

/** Work by some lanes at once, on a clock that stands or is moved past leases. */
const record = async (seed: number, lanes: number, commands = 240): Promise<ReadonlyArray<Recorded>> => {
  const clock = new VirtualClock()
  const { client } = await openRuntime(memoryPlace().layer(), { clock })
  const random = new Random(seed)
  const recorder = new HistoryRecorder()
  const race = new Race({
    client,
    random,
    record: (asked, call) => {
      if (random.chance(3)) clock.now += random.between(100, 1500)
      return recorder.call({ process: `lane`, ...asked }, call)
    },
    prefix: "p",
    race: "w",
    lanes,
    commands,
    perWorkflow: 120,
    restMs: 0,
  })
  await race.run()
  await client.close()
  return recorder.history
}
const verdicts = ({ violations, undecided }: HistoryReport) => [...violations, ...undecided].map(({ text }) => text)

// CI repeats one; every other run looks somewhere new. Where the answer to a claim is lost, the checker knows too little of the
// child that was born, and calls some right histories wrong (seeds 7002 and 702807).
const seed = process.env.CI === undefined ? Date.now() % 1_000_000 : 20261
it(`what one or several callers saw of the runtime is linearizable, seed ${seed}`, async () => {
  for (let n = 0; n < 6; n++) {
    const history = await record(seed + n, n % 2 === 0 ? 1 : 6)
    const report = checkHistory(history, raceRules)
    expect(verdicts(report), `seed ${seed + n}`).toEqual([])
    expect(Math.min(...Object.values(report.parts))).toBeGreaterThan(0)
  }
})

/** Calls earlier and returns later than it was: what was in order stays explicable. */
const stretched = (history: ReadonlyArray<Recorded>, random: Random): ReadonlyArray<Recorded> =>
  history.map((one) => ({ ...one, call: one.call - random.below(8), return: one.return + random.below(8) }))

it(`a history whose calls are made to overlap stays linearizable, seed ${seed}`, async () => {
  const random = new Random(seed)
  for (let n = 0; n < 4; n++) {
    const history = stretched(await record(seed + n, 1), random)
    expect(verdicts(checkHistory(history, raceRules)), `seed ${seed + n}`).toEqual([])
  }
})

it(`answers that are lost leave it linearizable, whether the command was carried out or not, seed ${seed}`, async () => {
  const random = new Random(seed)
  for (let n = 0; n < 6; n++) {
    const history = (await record(seed + n, 1)).map(
      (one): Recorded =>
        // Also of proposals that were refused: their usage is settled all the same.
        (one.outcome?.ok === true || one.command === "propose") && !one.command.startsWith("get") && random.chance(4)
          ? { ...one, outcome: undefined, return: Number.POSITIVE_INFINITY }
          : one,
    )
    expect(
      checkHistory(history, raceRules).violations.map(({ text }) => text),
      `seed ${seed + n}`,
    ).toEqual([])
  }
})

/** The history of one caller, and what of it is changed; the calls do not overlap, so nothing can explain the change. */
const damaged = async (
  change: (one: Recorded, history: ReadonlyArray<Recorded>) => Recorded | ReadonlyArray<Recorded> | undefined,
): Promise<{ readonly changed: number; readonly found: number }> => {
  let changed = 0
  let found = 0
  for (let n = 0; n < 2; n++) {
    const history = await record(7000 + n, 1)
    const clean = checkHistory(history, raceRules)
    expect(verdicts(clean)).toEqual([])
    for (const [index, one] of history.entries()) {
      const wrong = change(one, history)
      if (wrong === undefined) continue
      changed += 1
      if (checkHistory(history.toSpliced(index, 1, ...[wrong].flat()), raceRules).violations.length > 0) found += 1
      if (changed >= 15 * (n + 1)) break
    }
  }
  return { changed, found }
}
const answered = (one: Recorded, change: (answer: Record<string, unknown>) => void): Recorded | undefined => {
  if (one.outcome?.ok !== true) return undefined
  const answer = structuredClone(one.outcome.answer) as Record<string, unknown>
  change(answer)
  return { ...one, outcome: { ok: true, answer } }
}

it("every second winner of a claim is found (I1)", async () => {
  const { changed, found } = await damaged((one) => {
    const second = answered(one, (answer) => {
      answer.sessionId = "second"
    })
    return one.command !== "claim" || second === undefined
      ? undefined
      : [one, { ...second, call: one.return + 0.1, return: one.return + 0.2, key: "another" }]
  })
  expect(changed).toBeGreaterThan(10)
  expect(found).toBe(changed)
})

it("every read of a ledger that is off by a cent is found (I2, I3)", async () => {
  const { changed, found } = await damaged((one) =>
    one.command === "getWorkflow"
      ? answered(one, (answer) => {
          const { cost } = answer.ledger as { cost: { reserved: number } }
          cost.reserved += 0.01
        })
      : undefined,
  )
  expect(changed).toBeGreaterThan(10)
  expect(found).toBe(changed)
})

it("every fencing token that was granted before, or too early, is found (I4)", async () => {
  for (const off of [-1, 1]) {
    const { changed, found } = await damaged((one) => {
      const step = one.command === "propose" && one.outcome?.ok === true ? one.outcome.answer.steps : undefined
      const granted = (step as ReadonlyArray<{ fences: ReadonlyArray<unknown> }> | undefined)?.some(
        ({ fences }) => fences.length > 0,
      )
      return granted !== true
        ? undefined
        : answered(one, (answer) => {
            for (const { fences } of answer.steps as ReadonlyArray<{ fences: ReadonlyArray<{ token: number }> }>)
              for (const fence of fences) fence.token += off
          })
    })
    expect(changed).toBeGreaterThan(10)
    expect(found).toBe(changed)
  }
})

it("a stale read is found: what was seen once is not seen again after it has changed", async () => {
  const { changed, found } = await damaged((one, history) => {
    const seen = (other: Recorded) => (other.outcome?.ok === true ? other.outcome.answer.ledger : undefined)
    if (one.command !== "getWorkflow") return undefined
    const before = history.findLast(
      (other) => other.return < one.call && other.command === "getWorkflow" && other.workflowId === one.workflowId,
    )
    if (before === undefined || JSON.stringify(seen(before)) === JSON.stringify(seen(one))) return undefined
    return { ...one, outcome: before.outcome }
  })
  expect(changed).toBeGreaterThan(10)
  // Now and then what a session held, whose lease may have run out by then, may as well have gone.
  expect(found).toBeGreaterThan(0.8 * changed)
})

it("a proposal past the limit is found, and a refusal that had no reason too (I2)", async () => {
  const refused = await damaged((one) =>
    one.command === "propose" && one.outcome?.ok === true
      ? {
          ...one,
          outcome: {
            ok: false,
            code: "limit_exceeded",
            facts: { limit: "max_cost", scope: "workflow", max: 3, used: 2.9955, reserved: 0, requested: 0.2 },
          },
        }
      : undefined,
  )
  expect(refused.found).toBe(refused.changed)
  const admitted = await damaged((one) =>
    one.command === "propose" && one.outcome?.ok === false && one.outcome.code === "limit_exceeded"
      ? { ...one, outcome: { ok: true, answer: { steps: [{ stepId: "more", status: "admitted", fences: [] }] } } }
      : undefined,
  )
  expect(refused.changed).toBeGreaterThan(10)
  expect(admitted.changed).toBeGreaterThan(5)
  // A reservation that may have expired by then would have left the room.
  expect(admitted.found).toBeGreaterThan(0.8 * admitted.changed)
})

it("a lost acknowledgement is found: what was answered is nowhere to be seen (I7)", () => {
  const at = (call: number, one: Omit<Recorded, "call" | "return" | "process" | "workflowId">): Recorded => ({
    ...one,
    process: "a",
    workflowId: "w",
    call,
    return: call + 1,
  })
  const offer = at(0, {
    command: "offer",
    input: { sessionId: "root", handoffId: "h", toRole: "ops" },
    outcome: { ok: true, answer: { handoffId: "h", offeredAt: 1, offerDeadline: null } },
  })
  const root = at(-4, { command: "createRoot", input: {}, outcome: { ok: true, answer: { sessionId: "root" } } })
  const claim = at(4, {
    command: "claim",
    input: { handoffId: "h", sessionId: "s", parentSessionId: "root" },
    outcome: { ok: true, answer: { sessionId: "s", handoff: { generation: 1, claimDeadline: null } } },
  })
  const read = at(8, {
    command: "getHandoff",
    input: { handoffId: "h" },
    outcome: { ok: true, answer: { handoffId: "h", status: "offered", generation: 1, sessionId: null } },
  })
  expect(
    checkHistory([root, offer, { ...claim, outcome: undefined, return: Number.POSITIVE_INFINITY }, read], raceRules)
      .violations,
  ).toEqual([])
  const report = checkHistory([root, offer, claim, read], raceRules)
  expect(report.violations.map(({ kind, partition }) => [kind, partition])).toEqual([["handoff", "w h"]])
  expect(report.violations[0]?.text).toContain("no order explains the first 3 operations")
})
