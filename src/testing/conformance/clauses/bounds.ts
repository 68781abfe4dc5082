/** Clauses about size and about text: what the rules allow, every store must take, and give back as it was. */
import assert from "node:assert/strict"
import { bounds } from "../../../machines/bounds.ts"
import type { Json } from "../../../machines/ids.ts"
import type { Projection } from "../../../machines/projection.ts"
import { limits } from "../../../runtime/limits.ts"
import { assertChain, Chain } from "../Chain.ts"
import { appended, clause, inTurn, run } from "../Clause.ts"
import { handoffRow, hid, kid, receipt, sessionRow, sid, stepRow } from "../rows.ts"

/** Free text, as reasons and idempotency keys are: no NUL and no half of a surrogate pair (`Text`, machines/ids.ts). */
const texts = [
  `quotes ' " \` and '' doubled`,
  "back\\slash, \\n that is none, \\u0041, \\x00, \\",
  "{braces} [brackets] {{1,2},NULL} $dollars $1 :name ? % _ %s",
  "tab\tline\nreturn\rnext\u0085 \u2028 \u2029",
  "\u0001\u0002\u001b[31m\u007f",
  "ünïcödé, e\u0301 is not é, ﬁ ligature, ß ẞ İ ı",
  "漢字 العربية עברית ไทย 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 \u{10ffff}",
  "\ufeffbyte order mark, \uffff, \ufffd, \u200b, \u202e",
  " spaces at both ends ",
  "'); drop table journal; --",
  "NULL",
  "null",
  "\\N",
]
/** Text within JSON may be anything at all. */
const wild = [...texts, "", "nul \u0000 within", "\ud800 half", "half \udfff", "\udc00\ud800", "x".repeat(5000)]

export const boundClauses = [
  clause(
    "bounds.group",
    "The largest group that the runtime sends is one transaction like any other.",
    "limits on parameters or statements that only a full group meets",
    async (trial) => {
      const chains = Array.from({ length: limits.group }, (_, i) => new Chain(`wf${i}`))
      const results = await trial.append(...chains.map((chain) => chain.create()))
      assert.deepEqual(
        results,
        chains.map(() => appended),
      )
      const more = chains.map((chain) => {
        const row = handoffRow(chain.id, "h")
        return { ...chain.append([{ _tag: "handoffOffered", row }], 2), snapshot: chain.snapshot() }
      })
      assert.deepEqual(
        await trial.append(...more),
        chains.map(() => appended),
      )
      for (const chain of [chains[0], chains[127], chains.at(-1)]) {
        if (chain === undefined) continue
        const events = await trial.events(chain)
        assert.equal(events.length, 3)
        assertChain(events)
        assert.deepEqual((await run(trial.journal.load(chain.tenant, chain.id)))?.snapshot, chain.snapshot())
        assert.equal((await trial.lookup(chain, { handoffs: ["h"] })).handoffs.size, 1)
      }
    },
  ),
  clause(
    "bounds.append",
    "One append may carry thousands of events and changes, and a kill that ends all of them.",
    "limits on parameters that only a large cascade meets",
    async (trial) => {
      const chain = await trial.created("wf")
      const ids = Array.from({ length: 3000 }, (_, i) => `s${i}`)
      const births = ids.map(
        (id): Projection => ({ _tag: "sessionCreated", row: sessionRow("wf", id, { createdSeq: 2 }) }),
      )
      assert.deepEqual(await trial.one(chain.append(births, 1500)), appended)
      const issued = receipt("wf", "k", { sessions: ids.map(sid) })
      const death = { at: 2000, killId: kid("k"), reason: "stop" }
      const killed = { sessions: ids.map(sid), versions: ids.map(() => 2), ...death }
      const kill = chain.append([
        { _tag: "sessionsKilled", ...killed },
        { _tag: "killIssued", receipt: issued },
      ])
      assert.deepEqual(await trial.one(kill), appended)
      const events = await trial.events(chain)
      assert.equal(events.length, 1502)
      assertChain(events)
      const rows = await trial.lookup(chain, { sessions: ids.slice(0, bounds.receiptsPerCommand), kills: ["k"] })
      assert.equal(rows.sessions.size, bounds.receiptsPerCommand)
      for (const row of rows.sessions.values()) assert.equal(row.status, "killed")
      assert.deepEqual(rows.kills.get("k"), issued)
      const open = await run(trial.journal.listSessions(chain.tenant, { workflowId: chain.id, open: true, limit: 9 }))
      assert.deepEqual(
        open.items.map((row) => row.sessionId),
        ["wf.root"],
      )
    },
  ),
  clause(
    "bounds.payload",
    "The largest command's JSON, and an event and a snapshot that hold it, come back as they were.",
    "columns and messages that are cut off or refused",
    async (trial) => {
      const chain = await trial.created("wf")
      const large = "0123456789abcdef".repeat(bounds.commandBytes / 16 - 4)
      const row = handoffRow("wf", "h", { summary: { large } })
      const append = chain.append([{ _tag: "handoffOffered", row }], 1, large)
      const snapshot = chain.snapshot(JSON.stringify({ large: [large, large, large] }))
      assert.deepEqual(await trial.one({ ...append, snapshot }), appended)
      const same = (a: unknown, b: unknown) => assert.ok(JSON.stringify(a) === JSON.stringify(b), "large text is kept")
      same((await trial.lookup(chain, { handoffs: ["h"] })).handoffs.get("h"), row)
      same((await trial.events(chain))[1], append.entries[0])
      same((await run(trial.journal.load(chain.tenant, chain.id)))?.snapshot, snapshot)
    },
  ),
  clause(
    "bounds.numbers",
    "Counts and amounts up to 2^53 - 1 are kept to the unit, and times up to the last that there is.",
    "numbers that are stored in 32 bits, as floats, or come back as text",
    async (trial) => {
      const big = Number.MAX_SAFE_INTEGER
      /** The last millisecond of Date. */
      const last = 8_640_000_000_000_000
      const chain = new Chain("wf")
      await trial.append(chain.create({ createdAt: last }))
      const step = stepRow("st", { cost: big, tokens: big - 1, resolvedAt: last })
      const resource = { name: "repo", key: "42", fence: big, version: big - 2 }
      const session = sessionRow("wf", "s", { version: big, createdAt: last, createdSeq: 2, depth: 2_147_483_648 })
      const handoff = handoffRow("wf", "h", {
        generation: 4_294_967_296,
        deadline: last,
        offeredAt: last,
        updatedAt: 0,
      })
      await trial.append(
        chain.append([
          { _tag: "stepResolved", row: step },
          { _tag: "resourceIdled", row: resource },
          { _tag: "sessionCreated", row: session },
          { _tag: "handoffOffered", row: handoff },
          { _tag: "wakeAt", at: last },
        ]),
      )
      const resources = [{ name: "repo", key: "42" }]
      const rows = await trial.lookup(chain, { steps: ["st"], sessions: ["s"], handoffs: ["h"], resources })
      assert.deepEqual(rows.steps.get("st"), step)
      assert.deepEqual(rows.sessions.get("s"), session)
      assert.deepEqual(rows.handoffs.get("h"), handoff)
      assert.deepEqual([...rows.resources.values()], [resource])
      assert.equal(await run(trial.journal.nextWake), last)
      assert.deepEqual(await run(trial.journal.due(last, 5)), [{ tenant: "t1", workflowId: "wf", wakeAt: last }])
      const { items } = await run(trial.journal.listWorkflows(chain.tenant, { limit: 2 }))
      assert.equal(items[0]?.createdAt, last)
    },
  ),
  clause(
    "text.plain",
    "Reasons and idempotency keys keep every character that they may hold, and no two of them are the same.",
    "text that is escaped twice, folded, trimmed, cut off, or read as part of a statement",
    async (trial) => {
      const chain = await trial.created("wf")
      await inTurn(texts, async (text) => {
        const id = `s${texts.indexOf(text)}`
        const end = { status: "failed", version: 2, at: 1, killId: null, reason: text } as const
        const answered = { _tag: "answered", row: { key: text, fingerprint: "f", answer: text } } as const
        const row = sessionRow("wf", id, { createdSeq: chain.seq + 1 })
        const offer = { _tag: "handoffOffered", row: handoffRow("wf", `h${id}`) } as const
        const killed = { _tag: "handoffsKilled", handoffs: [hid(`h${id}`)], at: 1, reason: text } as const
        const kill = { _tag: "killIssued", receipt: receipt("wf", `k${id}`, { reason: text, actor: text }) } as const
        const ended = { _tag: "sessionEnded", sessionId: sid(id), ...end } as const
        const created = { _tag: "sessionCreated", row } as const
        await trial.append(chain.append([created, ended, answered, offer, killed, kill]))
      })
      const check = async (): Promise<void> => {
        const ids = texts.map((_, i) => `s${i}`)
        const named = { sessions: ids, handoffs: ids.map((id) => `h${id}`), kills: ids.map((id) => `k${id}`) }
        const rows = await trial.lookup(chain, { ...named, answers: texts })
        for (const [i, text] of texts.entries()) {
          assert.equal(rows.sessions.get(`s${i}`)?.reason, text)
          assert.equal(rows.handoffs.get(`hs${i}`)?.reason, text)
          assert.equal(rows.kills.get(`ks${i}`)?.reason, text)
          assert.deepEqual(rows.answers.get(text), { key: text, fingerprint: "f", answer: text })
        }
        const absent = await trial.lookup(chain, { answers: ["NULLs", "%", "_", "Null", ""] })
        assert.equal(absent.answers.size, 0)
      }
      await check()
      await run(trial.journal.listSessions(chain.tenant, { workflowId: chain.id, limit: 100 }))
      await check()
      await trial.reopen()
      await check()
    },
  ),
  clause(
    "text.json",
    "JSON keeps every string, NUL and lone surrogates included, in values and in names of members; and its numbers.",
    "JSON that passes through a type that can't hold all of it",
    async (trial) => {
      const chain = await trial.created("wf")
      const members = Object.fromEntries(wild.map((text, i) => [`${text}${i}`, text]))
      const numbers = [0, -1, 1e300, 5e-324, 0.1, 1 / 3, Number.MAX_SAFE_INTEGER, 1e21]
      const json: Json = { members, list: wild, numbers, deep: { a: [[], {}, [null, true, false]] }, zz: 1, aa: 2 }
      const offer = handoffRow("wf", "h", { summary: json, artifacts: wild.map((text) => ({ uri: `x${text}` })) })
      const append = chain.append(
        [
          { _tag: "handoffOffered", row: offer },
          { _tag: "answered", row: { key: "k", fingerprint: "f", answer: json } },
        ],
        1,
        JSON.stringify(json),
      )
      const snapshot = chain.snapshot(JSON.stringify(json))
      assert.deepEqual(await trial.one({ ...append, snapshot }), appended)
      const done = { at: 5, result: json, artifacts: [{ uri: "u", hash: "\u0000\ud800" }] } as const
      const check = async (completed: boolean): Promise<void> => {
        const rows = await trial.lookup(chain, { handoffs: ["h"], answers: ["k"] })
        const row = rows.handoffs.get("h")
        assert.deepEqual(row?.summary, json)
        assert.deepEqual(row?.artifacts, offer.artifacts)
        assert.deepEqual(row?.result, completed ? json : null)
        assert.deepEqual(row?.resultArtifacts, completed ? done.artifacts : [])
        assert.deepEqual(rows.answers.get("k")?.answer, json)
        assert.deepEqual((await trial.events(chain))[1], append.entries[0])
        assert.deepEqual((await run(trial.journal.load(chain.tenant, chain.id)))?.snapshot, snapshot)
        const { items } = await run(trial.journal.listHandoffs(chain.tenant, { workflowId: chain.id, limit: 2 }))
        assert.deepEqual(items, [row])
      }
      await check(false)
      await trial.one(chain.append([{ _tag: "handoffCompleted", handoffId: hid("h"), ...done }]))
      await check(true)
      await trial.reopen()
      await check(true)
    },
  ),
  clause(
    "text.ids",
    "Ids of 128 characters, ids that differ by case or by a sign, and ids that look like something else stay apart.",
    "ids that are folded, cut off, matched as patterns, or joined without a separator",
    async (trial) => {
      const long = "x".repeat(127)
      const ids = [
        `${long}a`,
        `${long}b`,
        "abc",
        "ABC",
        "aBc",
        "a_c",
        "a.c",
        "a:c",
        "a-c",
        "1",
        "01",
        "1.0",
        "1e3",
        "null",
      ]
      const chains = ids.map((id) => new Chain(id))
      for (const [i, chain] of chains.entries())
        assert.deepEqual(await trial.one(chain.create({ rootSessionId: sid(`root${i}`) })), appended, chain.id)
      // Two pairs of tenant and id that are one text when they are joined.
      const joined = [await trial.created("b:c", "a"), await trial.created("c", "a:b")]
      await inTurn(chains, (chain) => trial.append(chain.append([], ids.indexOf(chain.id) + 1)))
      for (const [i, chain] of chains.entries()) {
        const events = await trial.events(chain)
        assert.equal(events.length, i + 2, `events of ${chain.id}`)
        assertChain(events)
      }
      for (const chain of joined) assert.equal((await trial.events(chain)).length, 1)
      const [first] = chains
      if (first === undefined) return
      await trial.append(
        first.append(
          ids.map((key, i) => ({ _tag: "resourceIdled", row: { name: "r", key, fence: i + 1, version: 1 } })),
        ),
      )
      const rows = await trial.lookup(first, { resources: ids.map((key) => ({ name: "r", key })) })
      for (const [i, key] of ids.entries()) assert.equal(rows.resources.get(`r\u0000${key}`)?.fence, i + 1, key)
    },
  ),
]
