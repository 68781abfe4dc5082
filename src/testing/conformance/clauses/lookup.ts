/** Clauses of the projections, as `lookup` reads them back. */
import assert from "node:assert/strict"
import type { Projection } from "../../../machines/projection.ts"
import { appended, clause } from "../Clause.ts"
import { handoffRow, hid, kid, receipt, sessionRow, sid, stepRow } from "../rows.ts"

export const lookupClauses = [
  clause(
    "lookup.lifecycle",
    "A lifecycle leaves its handoff, its session and its step, each as its last event left it (I9).",
    "rows that do not follow from the events",
    async (trial) => {
      const chain = await trial.created("wf")
      const offered = handoffRow("wf", "h")
      const parent = { handoffId: hid("h"), parentSessionId: sid("wf.root"), depth: 1, createdSeq: 3 }
      const session = sessionRow("wf", "s", parent)
      const change = {
        _tag: "handoffChanged",
        handoffId: hid("h"),
        generation: 1,
        sessionId: sid("s"),
        reason: null,
      } as const
      await trial.append(chain.append([{ _tag: "handoffOffered", row: offered }]))
      await trial.append(
        chain.append([
          { ...change, status: "claimed", deadline: 7000, at: 1100 },
          { _tag: "sessionCreated", row: session },
        ]),
      )
      const claimed = { ...offered, status: "claimed", sessionId: "s", deadline: 7000, updatedAt: 1100 }
      assert.deepEqual((await trial.lookup(chain, { handoffs: ["h"] })).handoffs.get("h"), claimed)
      const step = stepRow("st", { sessionId: sid("s") })
      await trial.append(
        chain.append([
          { ...change, status: "in_progress", deadline: null, at: 1200 },
          { _tag: "stepResolved", row: step },
        ]),
      )
      const result = { findings: 3, list: ["a"] }
      const artifacts = [{ uri: "s3://store/r" }]
      const end = { status: "completed", version: 4, at: 1300, killId: null, reason: null } as const
      await trial.append(
        chain.append([
          { _tag: "handoffCompleted", handoffId: hid("h"), at: 1300, result, artifacts },
          { _tag: "sessionEnded", sessionId: sid("s"), ...end },
        ]),
      )
      const refs = { sessions: ["s", "none"], handoffs: ["h", "none"], steps: ["st", "none"] }
      const archive = await trial.lookup(chain, refs)
      const done = { status: "completed", deadline: null, updatedAt: 1300, result, resultArtifacts: artifacts }
      assert.deepEqual([...archive.handoffs], [["h", { ...claimed, ...done }]])
      assert.deepEqual([...archive.sessions], [["s", { ...session, status: "completed", version: 4, endedAt: 1300 }]])
      assert.deepEqual([...archive.steps], [["st", step]])
    },
  ),
  clause(
    "lookup.kill",
    "A kill ends its sessions and handoffs in one append, and no others; its receipt becomes quiescent (I5).",
    "a cascade that leaves somebody out, or takes somebody along",
    async (trial) => {
      const chain = await trial.created("wf")
      const ids = Array.from({ length: 50 }, (_, i) => `s${i}`)
      const members = ids.flatMap(
        (id, i): ReadonlyArray<Projection> => [
          { _tag: "sessionCreated", row: sessionRow("wf", id, { createdSeq: i + 2 }) },
          { _tag: "handoffOffered", row: handoffRow("wf", `h${i}`, { offeredSeq: i + 2 }) },
        ],
      )
      await trial.append(chain.append(members, 50))
      const issued = receipt("wf", "k")
      const dead = ids.slice(1)
      const versions = dead.map((_, i) => i + 1)
      const death = { at: 2000, reason: "stop" } as const
      await trial.append(
        chain.append([
          { _tag: "sessionsKilled", sessions: dead.map(sid), versions, killId: kid("k"), ...death },
          { _tag: "handoffsKilled", handoffs: [hid("h1"), hid("h2")], ...death },
          { _tag: "killIssued", receipt: issued },
        ]),
      )
      const handoffs = ids.map((_, i) => `h${i}`)
      const archive = await trial.lookup(chain, { sessions: ids, handoffs, kills: ["k", "none"] })
      const ended = { status: "killed", endedAt: 2000, killId: kid("k"), reason: "stop" } as const
      for (const [i, id] of ids.entries()) {
        const row = sessionRow("wf", id, { createdSeq: i + 2, ...(i === 0 ? {} : { ...ended, version: i }) })
        assert.deepEqual(archive.sessions.get(id), row)
        const killed = { status: "killed", deadline: null, updatedAt: 2000, reason: "stop" } as const
        const offer = handoffRow("wf", `h${i}`, { offeredSeq: i + 2, ...(i === 1 || i === 2 ? killed : {}) })
        assert.deepEqual(archive.handoffs.get(`h${i}`), offer)
      }
      assert.deepEqual([...archive.kills], [["k", issued]])
      await trial.append(chain.append([{ _tag: "killQuiescent", killId: kid("k") }]))
      const after = await trial.lookup(chain, { kills: ["k"] })
      assert.deepEqual(after.kills.get("k"), { ...issued, state: "quiescent" })
    },
  ),
  clause(
    "lookup.latest",
    "Of resources and of answers the latest is kept.",
    "fencing tokens that go back, answers that are forgotten",
    async (trial) => {
      const chain = await trial.created("wf")
      const resource = { name: "repo", key: "42", fence: 3, version: 1 }
      const answer = { key: "k 1", fingerprint: "f".repeat(64), answer: { ok: true, list: [1, null] } }
      const other = { key: "k2", fingerprint: "f", answer: null }
      await trial.append(
        chain.append([
          { _tag: "resourceIdled", row: resource },
          { _tag: "answered", row: answer },
          { _tag: "answered", row: other },
        ]),
      )
      await trial.append(chain.append([{ _tag: "resourceIdled", row: { ...resource, fence: 9 } }]))
      const resources = ["42", "43"].map((key) => ({ name: "repo", key }))
      const archive = await trial.lookup(chain, { resources, answers: ["k 1", "k2", "k3"] })
      assert.deepEqual([...archive.resources], [["repo\u000042", { ...resource, fence: 9 }]])
      assert.equal(archive.answers.size, 2)
      assert.deepEqual([archive.answers.get("k 1"), archive.answers.get("k2")], [answer, other])
    },
  ),
  clause("lookup.nothing", "Nothing asked for is nothing found.", "rows that nobody asked for", async (trial) => {
    const chain = await trial.created("wf")
    const empty = new Map()
    const none = { sessions: empty, handoffs: empty, steps: empty, kills: empty, resources: empty, answers: empty }
    assert.deepEqual(await trial.lookup(chain, {}), none)
    const wanted = { sessions: [], handoffs: ["x"], steps: ["x"], kills: ["x"], answers: ["x"] }
    assert.deepEqual(await trial.lookup(chain, { ...wanted, resources: [{ name: "x", key: "y" }] }), none)
  }),
  clause(
    "lookup.sessions-anywhere",
    "Sessions are found in any workflow of the tenant; everything else in its own only.",
    "sessions that a command can't find, or rows of another workflow",
    async (trial) => {
      const [a, b] = [await trial.created("a"), await trial.created("b")]
      await trial.append(
        a.append([
          { _tag: "handoffOffered", row: handoffRow("a", "h") },
          { _tag: "stepResolved", row: stepRow("st") },
          { _tag: "killIssued", receipt: receipt("a", "k") },
          { _tag: "answered", row: { key: "key", fingerprint: "f", answer: 1 } },
          { _tag: "resourceIdled", row: { name: "repo", key: "42", fence: 1, version: 1 } },
        ]),
      )
      const resources = [{ name: "repo", key: "42" }]
      const archive = await trial.lookup(b, {
        sessions: ["a.root", "b.root"],
        ...{ handoffs: ["h"], steps: ["st"], kills: ["k"], answers: ["key"], resources },
      })
      assert.deepEqual([...archive.sessions.keys()].sort(), ["a.root", "b.root"])
      const others = [archive.handoffs, archive.steps, archive.kills, archive.answers, archive.resources]
      assert.deepEqual(
        others.map((rows) => rows.size),
        [0, 0, 0, 0, 0],
      )
    },
  ),
  clause(
    "lookup.absent-target",
    "A change to what is not there is no error, and makes nothing.",
    "a store that stops at what it does not know",
    async (trial) => {
      const chain = await trial.created("wf")
      const end = { status: "failed", version: 2, at: 1, killId: null, reason: "x" } as const
      const result = await trial.one(
        chain.append([
          { _tag: "handoffCompleted", handoffId: hid("none"), at: 1, result: null, artifacts: [] },
          { _tag: "sessionEnded", sessionId: sid("none"), ...end },
          { _tag: "killQuiescent", killId: kid("none") },
        ]),
      )
      assert.deepEqual(result, appended)
      const archive = await trial.lookup(chain, { handoffs: ["none"], sessions: ["none"], kills: ["none"] })
      assert.deepEqual([archive.handoffs.size, archive.sessions.size, archive.kills.size], [0, 0, 0])
    },
  ),
]
