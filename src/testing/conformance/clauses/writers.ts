/** Clauses about several writers on one store: other connections, other processes, other nodes. */
import assert from "node:assert/strict"
import type { Appended, Entry, Journal } from "../../../runtime/Journal.ts"
import { assertChain, type Chain } from "../Chain.ts"
import { appended, clause, conflict, run, type Trial, within } from "../Clause.ts"
import { handoffRow, sessionRow } from "../rows.ts"

const hearingMs = 3000
const writers = 5
const winsEach = 8

/** Appends until it has won often enough; what it was told it has won. */
const compete = async (trial: Trial, journal: Journal["Service"], chain: Chain, name: string) => {
  const won: Array<Entry> = []
  for (let attempt = 1; won.length < winsEach; attempt++) {
    assert.ok(attempt <= 50 * writers * winsEach, `${name} is refused for ever`)
    const append = chain.append([], 1, `${name} ${attempt}`)
    const [result] = await run(journal.append([append]))
    if (result?._tag === "appended") won.push(...append.entries)
    else chain.follow(await trial.events(chain, journal))
  }
  return won
}

export const writerClauses = [
  clause(
    "writers.one-head",
    "Of two appends on one head that are sent at once exactly one is taken (I1, I9).",
    "check, then act: the head moves between the check and the write",
    async (trial) => {
      const other = await trial.open()
      let chain = await trial.created("race")
      for (let round = 0; round < 40; round++) {
        const fork = chain.fork()
        const [here, there] = [chain.append([], 1, "here"), fork.append([], 1, "there")]
        const first = round % 2 === 0
        const calls = [() => run(trial.journal.append([here])), () => run(other.append([there]))]
        const both = (await Promise.all((first ? calls : calls.toReversed()).map((call) => call()))).flat()
        const [mine, theirs] = first ? both : both.toReversed()
        assert.deepEqual([mine?._tag, theirs?._tag].sort(), ["appended", "conflict"], `round ${round}`)
        if (theirs?._tag === "appended") chain = fork
      }
      const events = await trial.events(chain)
      assert.equal(events.length, 41)
      assertChain(events)
      assert.deepEqual(await trial.events(chain, other), events)
    },
  ),
  clause(
    "writers.many",
    "Many writers on one workflow: every sequence has one winner, all that was answered is there, on one hash chain (I7, I9).",
    "writes that overwrite each other once there are enough writers",
    async (trial) => {
      const chain = await trial.created("contended")
      const journals = [trial.journal]
      while (journals.length < writers) journals.push(await trial.open())
      const won = (
        await Promise.all(journals.map((journal, i) => compete(trial, journal, chain.fork(), `writer ${i}`)))
      ).flat()
      const events = await trial.events(chain)
      assertChain(events)
      assert.equal(events.length, 1 + won.length, "as many events as were answered")
      for (const entry of won) assert.deepEqual(events[entry.seq - 1], entry, `event ${entry.seq} is its winner's`)
      for (const journal of journals) assert.deepEqual(await trial.events(chain, journal), events)
    },
  ),
  clause(
    "writers.one-session",
    "Of writers that create the same session at once, in workflows of their own, exactly one does.",
    "uniqueness that is checked in one process only",
    async (trial) => {
      const other = await trial.open()
      const { journal } = trial
      for (let round = 0; round < 20; round++) {
        const chains = [await trial.created(`a${round}`), await trial.created(`b${round}`)]
        const id = `shared${round}`
        const results = await Promise.all(
          chains.map((chain, i) => {
            const row = sessionRow(chain.id, id, { createdSeq: 2 })
            return run((i === round % 2 ? journal : other).append([chain.append([{ _tag: "sessionCreated", row }])]))
          }),
        )
        const expected: ReadonlyArray<Appended> = [appended, { _tag: "exists", kind: "session", id }]
        const tags = (list: ReadonlyArray<Appended | undefined>) => list.map((one) => one?._tag).sort()
        assert.deepEqual(tags(results.flat()), tags(expected), `round ${round}`)
      }
    },
  ),
  clause(
    "writers.see-each-other",
    "What one writer was answered the next call of every other sees: heads, sessions, rows, listings, deadlines.",
    "a writer that believes its own memory",
    async (trial) => {
      const other = await trial.open()
      const chain = await trial.created("wf")
      assert.equal((await trial.events(chain, other)).length, 1)
      const row = sessionRow("wf", "s", { createdSeq: 2 })
      const made = await run(
        other.append([
          chain.append([
            { _tag: "sessionCreated", row },
            { _tag: "wakeAt", at: 7 },
          ]),
        ]),
      )
      assert.deepEqual(made, [appended])
      assert.deepEqual((await trial.lookup(chain, { sessions: ["s"] })).sessions.get("s"), row)
      assert.equal(await run(trial.journal.nextWake), 7)
      const b = await trial.created("b")
      const clash = b.append([{ _tag: "sessionCreated", row: { ...row, workflowId: b.id } }])
      assert.deepEqual(await trial.one(clash), { _tag: "exists", kind: "session", id: "s" })
      const offer = chain.append([{ _tag: "handoffOffered", row: handoffRow("wf", "h") }])
      assert.deepEqual(await trial.one({ ...offer, snapshot: chain.snapshot() }), appended)
      assert.deepEqual(await run(other.append([chain.confirm(2)])), [conflict])
      assert.deepEqual(await run(other.append([chain.confirm(3)])), [appended])
      assert.deepEqual((await run(other.load(chain.tenant, chain.id)))?.snapshot, chain.snapshot())
      assert.equal((await run(other.lookup(chain.tenant, chain.id, { handoffs: ["h"] }))).handoffs.size, 1)
      const query = { workflowId: chain.id, limit: 5 }
      assert.equal((await run(other.listHandoffs(chain.tenant, query))).items.length, 1)
      assert.equal((await run(other.listWorkflows(chain.tenant, { limit: 5 }))).items.length, 2)
    },
  ),
  clause(
    "subscribe.hears",
    "A subscriber hears of every later commit of another writer to its workflow, soon.",
    "a node that waits for events that have long come",
    async (trial) => {
      const other = await trial.open()
      const chain = await trial.created("wf")
      let waiting: () => void = () => {}
      const leave = other.subscribe(chain.tenant, chain.id, () => waiting())
      for (let round = 0; round < 4; round++) {
        const heard = new Promise<void>((resolve) => {
          waiting = resolve
        })
        await trial.one(chain.append())
        await within(hearingMs, `commit ${round} is heard`, heard)
        assert.equal((await trial.events(chain, other)).length, round + 2)
      }
      leave()
    },
  ),
  clause(
    "subscribe.leaves",
    "Who has left hears nothing any more; to leave twice is no harm; one function may listen twice.",
    "listeners that are never let go",
    async (trial) => {
      const other = await trial.open()
      const chain = await trial.created("wf")
      let calls = 0
      const count = () => {
        calls += 1
      }
      const [leave, leaveAgain] = [
        other.subscribe(chain.tenant, chain.id, count),
        other.subscribe(chain.tenant, chain.id, count),
      ]
      leave()
      leave()
      const heard = new Promise<void>((resolve) => {
        other.subscribe(chain.tenant, chain.id, resolve)
      })
      await trial.one(chain.append())
      await within(hearingMs, "the commit is heard by who stayed", heard)
      // Told in the order in which they came: the second of the two was told before.
      assert.ok(calls >= 1, "who listens twice and leaves once still hears")
      leaveAgain()
      const before = calls
      const again = new Promise<void>((resolve) => {
        other.subscribe(chain.tenant, chain.id, resolve)
      })
      await trial.one(chain.append())
      await within(hearingMs, "the next commit is heard by who stayed", again)
      assert.equal(calls, before, "who has left is not called")
    },
  ),
]
