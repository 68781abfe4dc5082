/**
 * Clauses in which a fault strikes at every statement of a write, one after another: death, freeze, error.
 *
 * Whatever was answered is there. Whatever was not answered is there whole or not at all, the group being one transaction; and
 * to send it again makes it happen once (I7, I8, I9).
 */
import assert from "node:assert/strict"
import { mayBeWritten } from "../../../runtime/errors.ts"
import type { Append } from "../../../runtime/Journal.ts"
import { assertChain, Chain } from "../Chain.ts"
import { appended, type Clause, clause, conflict, run, type Trial, within } from "../Clause.ts"
import { definition, handoffRow, sessionRow, stepRow } from "../rows.ts"
import { type FaultyWriter, type StoreFault, type Strike, type WriteOutcome, writeOutcome } from "../StoreUnderTest.ts"

/** More statements than any store takes for one small group. */
const mostStatements = 400
/** How long a writer may be refused after an error before it must work again. */
const recoveryMs = 5000
/** How long a frozen writer is left to stand in the way of another. */
const patienceMs = 100

/** A workflow with one event, what a writer does to it in two groups, and what must then be true. */
class Scene {
  readonly known: Chain
  readonly fresh: Chain
  readonly small: Append
  readonly group: ReadonlyArray<Append>

  private constructor(known: Chain, fresh: Chain) {
    this.known = known
    this.fresh = fresh
    this.small = known.append()
    const { id } = known
    const rich = known.append(
      [
        { _tag: "handoffOffered", row: handoffRow(id, "h") },
        { _tag: "sessionCreated", row: sessionRow(id, `${id}.s`, { createdSeq: 3 }) },
        { _tag: "stepResolved", row: stepRow("st") },
        { _tag: "answered", row: { key: "key", fingerprint: "f", answer: { done: true } } },
        { _tag: "resourceIdled", row: { name: "repo", key: "42", fence: 2, version: 1 } },
        { _tag: "wakeAt", at: 500 },
      ],
      3,
    )
    this.group = [{ ...rich, snapshot: known.snapshot() }, fresh.create()]
  }
  static async begin(trial: Trial, name: string): Promise<Scene> {
    return new Scene(await trial.created(name), new Chain(`${name}.fresh`))
  }

  /** Demands what the group's outcome leaves open, and sends it again. The small append before it was answered. */
  async check(trial: Trial, group: WriteOutcome): Promise<void> {
    const events = await trial.events(this.known)
    assertChain(events)
    assert.ok(events.length >= 2, "the first append was answered, and is not there")
    assert.ok([2, 5].includes(events.length), `half an append is there: ${events.length} events`)
    const happened = events.length === 5
    if (group._tag === "answered") {
      assert.deepEqual(group.results, [appended, appended])
      assert.ok(happened, "the group was answered, and is not there")
    }
    if (group._tag === "refused")
      assert.ok(!happened || mayBeWritten.has(group.error.reason), `refused as ${group.error.reason}, and it is there`)
    await this.#rowsAre(trial, happened)
    const loaded = await run(trial.journal.load(this.known.tenant, this.known.id))
    assert.deepEqual(loaded?.snapshot, happened ? this.group[0]?.snapshot : null, "the snapshot came with its events")
    const fresh = await trial.events(this.fresh)
    assert.equal(fresh.length, happened ? 1 : 0, "a group is one transaction")
    const again = happened ? conflict : appended
    assert.deepEqual(await trial.append(...this.group), [again, again], "sent again it happens once")
    const after = await trial.events(this.known)
    assert.equal(after.length, 5)
    assertChain(after)
    await this.#rowsAre(trial, true)
  }

  async #rowsAre(trial: Trial, there: boolean): Promise<void> {
    const { id } = this.known
    const rows = await trial.lookup(this.known, {
      ...{ sessions: [`${id}.s`], handoffs: ["h"], steps: ["st"], answers: ["key"] },
      resources: [{ name: "repo", key: "42" }],
    })
    const sizes = [rows.sessions, rows.handoffs, rows.steps, rows.answers, rows.resources].map((map) => map.size)
    const expected = there ? 1 : 0
    assert.deepEqual(
      sizes,
      sizes.map(() => expected),
      "rows and events come together",
    )
    const due = (await run(trial.journal.due(500, 1000))).filter((item) => item.workflowId === id)
    assert.equal(due.length, expected, "the deadline came with its events")
    const query = { workflowId: this.fresh.id, limit: 5 }
    const sessions = (await run(trial.journal.listSessions(this.fresh.tenant, query))).items.length
    assert.equal(sessions, expected, "a group is one transaction")
  }
}

/** Calls `each` with the first statement, the second, … and in the end with what comes after the last. */
const everyStatement = async (each: (fault: Omit<StoreFault, "kind">) => Promise<Strike>): Promise<void> => {
  for (let statement = 1; statement <= mostStatements; statement++) {
    if ((await each({ statement, when: "before" })).struck) continue
    assert.ok(statement > 1, "a write has no statement at which a fault could strike: the store's test does not tell")
    // To end after one statement is to end before the next; only what follows the last is left.
    await each({ statement: statement - 1, when: "after" })
    return
  }
  assert.fail(`a small group takes more than ${mostStatements} statements`)
}

/** An error or a lost connection may be followed by more refusals, for a while. */
const untilAnswered = async (writer: FaultyWriter, group: ReadonlyArray<Append>): Promise<WriteOutcome> => {
  const until = Date.now() + recoveryMs
  for (;;) {
    const outcome = await writer.append(group)
    if (outcome._tag !== "refused" || Date.now() > until) return outcome
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const crash: Clause = clause(
  "crash.every-statement",
  "A writer that dies at any statement leaves what it answered, and of the rest each group whole or nothing (I7, I9).",
  "half-written appends and groups, answers that come before the commit",
  (trial) =>
    everyStatement(async (fault) => {
      const scene = await Scene.begin(trial, `at-${fault.statement}-${fault.when}`)
      await trial.close()
      const writer = await trial.openFaulty()
      assert.deepEqual(await writer.append([scene.small]), { _tag: "answered", results: [appended] })
      const strike = await writer.arm({ kind: "death", ...fault })
      const group = await writer.append(scene.group)
      await strike.disarm()
      assert.ok(strike.struck || group._tag !== "died", "a writer dies when its fault strikes, and not else")
      if (!strike.struck) await writer.kill()
      await trial.reopen()
      await scene.check(trial, group)
      return strike
    }),
)

const error: Clause = clause(
  "error.every-statement",
  "A statement that fails is `StorageUnavailable` at most; the group happened or not, and the writer works on (I7, I9).",
  "half-written groups after an error, errors without a type, a writer that is stuck, a retry that writes twice",
  async (trial) => {
    const writer = await trial.openFaulty()
    await everyStatement(async (fault) => {
      const name = `at-${fault.statement}-${fault.when}`
      const scene = await Scene.begin(trial, name)
      assert.deepEqual(await untilAnswered(writer, [scene.small]), { _tag: "answered", results: [appended] })
      const strike = await writer.arm({ kind: "error", ...fault })
      const group = await writer.append(scene.group)
      await strike.disarm()
      assert.notEqual(group._tag, "died", "an error ends the call, not the writer")
      const other = new Chain(`${name}.later`)
      const later = await untilAnswered(writer, [other.create()])
      assert.equal(later._tag, "answered", "the writer works again")
      // A lost answer of this one, too, may have been an answer of `appended`.
      assert.equal((await trial.events(other)).length, 1)
      await scene.check(trial, group)
      return strike
    })
  },
)

const freeze: Clause = clause(
  "freeze.every-statement",
  "Of a writer frozen at any statement and one that moves on meanwhile one is taken; the other writes nothing (I1, I9).",
  "a check that is no longer true when the write follows it",
  async (trial) => {
    const writer = await trial.openFaulty()
    await everyStatement(async (fault) => {
      const chain = await trial.created(`at-${fault.statement}-${fault.when}`)
      const offer = (by: Chain, name: string) =>
        by.append([{ _tag: "handoffOffered", row: handoffRow(chain.id, name) }], 1, name)
      const [mine, theirs] = [offer(chain.fork(), "frozen"), offer(chain.fork(), "moving")]
      const strike = await writer.arm({ kind: "freeze", ...fault })
      const frozen = writer.append([mine])
      await Promise.race([strike.strikes, frozen])
      const moving = writeOutcome(trial.journal.append([theirs]))
      await Promise.race([moving, new Promise((resolve) => setTimeout(resolve, patienceMs))])
      writer.thaw()
      const outcomes = await within(30_000, "both writers are answered after the thaw", Promise.all([frozen, moving]))
      await strike.disarm()
      const won = outcomes.map((one) => one._tag === "answered" && one.results[0]?._tag === "appended")
      assert.ok(!(won[0] === true && won[1] === true), "both were told that they moved the same head")
      const events = await trial.events(chain)
      assertChain(events)
      const winner = events.at(-1)?.text
      assert.ok(events.length <= 2, "both moved the same head")
      for (const [i, append] of [mine, theirs].entries())
        if (won[i] === true) assert.equal(winner, append.entries[0]?.text, "who was told that it won is there")
      // Whoever was not answered sends again; then there is a winner, and the loser left nothing.
      const again = [await untilAnswered(writer, [mine]), await writeOutcome(trial.journal.append([theirs]))]
      const tags = again.map((one) => (one._tag === "answered" ? one.results[0]?._tag : one._tag))
      assert.deepEqual(tags, [events.length === 1 ? "appended" : "conflict", "conflict"])
      const final = await trial.events(chain)
      assert.equal(final.length, 2)
      const rows = await trial.lookup(chain, { handoffs: ["frozen", "moving"] })
      const name = final[1]?.text === mine.entries[0]?.text ? "frozen" : "moving"
      assert.deepEqual([...rows.handoffs.keys()], [name], "the loser left nothing")
      assert.deepEqual((await run(trial.journal.load(chain.tenant, chain.id)))?.definition, definition)
      return strike
    })
  },
)

export const faultClauses = [crash, error, freeze]
