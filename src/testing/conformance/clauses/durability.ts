/** Clauses about what is answered: it is there after the store was closed, and after its writer was killed (I7). */
import assert from "node:assert/strict"
import type { Append } from "../../../runtime/Journal.ts"
import { assertChain, Chain } from "../Chain.ts"
import { appended, clause, run, type Trial } from "../Clause.ts"
import { definition, handoffRow, sessionRow, stepRow } from "../rows.ts"

const lifeOf = (chain: Chain): ReadonlyArray<Append> => [
  chain.create(),
  chain.append([{ _tag: "handoffOffered", row: handoffRow(chain.id, "h") }], 3),
  chain.append([
    { _tag: "sessionCreated", row: sessionRow(chain.id, "s", { createdSeq: 5 }) },
    { _tag: "stepResolved", row: stepRow("st") },
    { _tag: "answered", row: { key: "key", fingerprint: "f", answer: [1] } },
    { _tag: "wakeAt", at: 77 },
  ]),
]
const isThere = async (trial: Trial, chain: Chain): Promise<void> => {
  const events = await trial.events(chain)
  assert.equal(events.length, 5, "all events are there")
  assertChain(events)
  const rows = await trial.lookup(chain, { sessions: ["s"], handoffs: ["h"], steps: ["st"], answers: ["key"] })
  assert.deepEqual(rows.sessions.get("s"), sessionRow(chain.id, "s", { createdSeq: 5 }))
  assert.deepEqual(rows.handoffs.get("h"), handoffRow(chain.id, "h"))
  assert.deepEqual(rows.steps.get("st"), stepRow("st"))
  assert.deepEqual(rows.answers.get("key")?.answer, [1])
  assert.equal(await run(trial.journal.nextWake), 77)
  const loaded = await run(trial.journal.load(chain.tenant, chain.id))
  assert.deepEqual(loaded, { definition, snapshot: chain.snapshot(), entries: [] })
}
const goesOn = async (trial: Trial, chain: Chain): Promise<void> => {
  const offer = { _tag: "handoffOffered", row: handoffRow(chain.id, "h") } as const
  const again = await trial.one(chain.fork().append([offer]))
  assert.deepEqual(again, { _tag: "exists", kind: "handoff", id: "h" })
  assert.deepEqual(await trial.one(chain.append()), appended)
  assert.equal((await trial.events(chain)).length, 6)
}

export const durabilityClauses = [
  clause(
    "durability.reopen",
    "What was answered is there after the store was closed and opened again, and it goes on from there (I7).",
    "a store that forgets on restart",
    async (trial) => {
      const chain = new Chain("wf")
      const appends = lifeOf(chain)
      for (const [i, append] of appends.entries()) {
        const last = i === appends.length - 1
        assert.deepEqual(await trial.one(last ? { ...append, snapshot: chain.snapshot() } : append), appended)
      }
      await trial.reopen()
      await isThere(trial, chain)
      await goesOn(trial, chain)
    },
  ),
  clause(
    "durability.kill",
    "What was answered is there after its writer was killed, however soon after (I7).",
    "a store that answers before it is durable",
    async (trial) => {
      for (let count = 1; count <= 3; count++) {
        const chain = new Chain(`wf${count}`, `t${count}`)
        const appends = lifeOf(chain)
        await trial.close()
        const writer = await trial.openFaulty()
        for (const append of appends.slice(0, count)) {
          const whole = append === appends[2] ? { ...append, snapshot: chain.snapshot() } : append
          assert.deepEqual(await writer.append([whole]), { _tag: "answered", results: [appended] })
        }
        await writer.kill()
        await trial.reopen()
        const seqs = (await trial.events(chain)).map((entry) => entry.seq)
        const answered = appends.slice(0, count).flatMap((append) => append.entries)
        assert.deepEqual(
          seqs,
          answered.map((entry) => entry.seq),
          `${count} answered, then killed`,
        )
        if (count < 3) continue
        await isThere(trial, chain)
        await goesOn(trial, chain)
      }
    },
  ),
]
