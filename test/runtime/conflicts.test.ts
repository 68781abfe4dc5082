/** What a runtime does when another writer was faster, and while its own writing is under way (architecture.md, "The write path"). */
import { Effect } from "effect"
import { expect, it } from "vitest"
import { WorkflowId } from "../../src/machines/ids.ts"
import { type Append, type Journal, StorageUnavailable } from "../../src/runtime/Journal.ts"
import { verifyTenant } from "../../src/runtime/verify.ts"
import { call, codeOf, createRoot, opened, placed, until } from "./fixtures.ts"
import { memoryPlace, tenant } from "./open.ts"
import { VirtualClock } from "./VirtualClock.ts"

type Store = Journal["Service"]
/** A journal whose appends go through a function of the test. */
const through =
  (append: (group: ReadonlyArray<Append>, journal: Store) => ReturnType<Store["append"]>) =>
  (journal: Store): Store => ({ ...journal, append: (group) => append(group, journal) })

it("a command whose writer is overtaken every time is overloaded in the end", async () => {
  let isOvertaken = false
  let tries = 0
  const { client } = await opened(placed(memoryPlace).layer(), {
    wrap: through((group, journal) => {
      if (!isOvertaken) return journal.append(group)
      tries += 1
      // More than any reasonable patience: a test that hangs says less than one that fails.
      if (tries > 1000) isOvertaken = false
      return Effect.succeed(group.map(() => ({ _tag: "conflict" as const })))
    }),
  })
  const root = await createRoot(client)
  isOvertaken = true
  expect(await codeOf(root.propose(call()))).toBe("overloaded")
  isOvertaken = false
  expect(await codeOf(root.propose(call()))).toBe("ok")
})

it("one key that reaches two runtimes at once changes state once, although both found it unknown (I8)", async () => {
  const place = placed(memoryPlace)
  const first = await opened(place.layer())
  const { sessionId } = await createRoot(first.client)
  await first.client.close()
  const b = await opened(place.layer())
  const proposal = { sessionId, ...call() }
  const options = { idempotencyKey: "k1" }
  let faster: ReturnType<typeof b.client.propose> | undefined
  const a = await opened(place.layer(), {
    // A has read the key back and decided; before it is written B does the same, all of it.
    wrap: through((group, journal) => {
      if (faster !== undefined || group.every(({ entries }) => entries.length === 0)) return journal.append(group)
      faster = b.client.propose(proposal, options)
      return Effect.andThen(
        Effect.promise(() => Promise.resolve(faster)),
        journal.append(group),
      )
    }),
  })
  const answer = await a.client.propose(proposal, options)
  expect(answer).toEqual(await faster)
  expect((await a.client.getWorkflow("w1")).ledger.steps).toMatchObject({ used: 0, reserved: 1 })
})

it("a question is answered as of the journal's head, whoever has written last", async () => {
  const place = placed(memoryPlace)
  const [a, b] = [await opened(place.layer()), await opened(place.layer())]
  const { sessionId } = await createRoot(a.client)
  for (let seq = 2; seq < 5; seq++) {
    await b.client.propose({ sessionId, ...call() })
    expect((await a.client.getWorkflow("w1")).seq).toBe(seq)
    expect((await a.client.getSession(sessionId)).steps).toHaveLength(seq - 1)
  }
})

it("nothing stays of what could not be written, also where another runtime has written as much since (I9)", async () => {
  const place = placed(memoryPlace)
  let fails = false
  const a = await opened(place.layer(), {
    wrap: through((group, journal) =>
      fails ? Effect.fail(new StorageUnavailable({ reason: "io", detail: "not now" })) : journal.append(group),
    ),
  })
  const b = await opened(place.layer())
  const { sessionId } = await createRoot(a.client)
  const offer = (handoffId: string) => ({ sessionId, toRole: "dev", handoffId, summary: {} })
  fails = true
  expect(await codeOf(a.client.offer(offer("h1")))).toBe("storage_unavailable")
  fails = false
  await b.client.offer(offer("h2"))
  // The head is where it would be with h1.
  const open = await a.run(a.governance.query(tenant, WorkflowId.make("w1"), (state) => [...state.handoffs.keys()]))
  expect(open).toEqual(["h2"])
  expect(await codeOf(a.client.offer(offer("h1")))).toBe("ok")
  expect((await a.run(verifyTenant(a.governance.journal, tenant))).problems).toEqual([])
})

it("what is decided while a batch is written follows it in a group of its own, never beside it", async () => {
  const writing = new Set<string>()
  let report = (_: string): void => {}
  // Who is written beside itself is not answered any more: the test must not wait for that.
  const overlap = new Promise<string>((resolve) => {
    report = resolve
  })
  const { client, governance, run } = await opened(placed(memoryPlace).layer(), {
    wrap: through((group, journal) =>
      Effect.gen(function* () {
        for (const { workflowId } of group) {
          if (writing.has(workflowId)) report(`two groups hold ${workflowId}`)
          writing.add(workflowId)
        }
        const results = yield* journal.append(group)
        // Written, but not answered yet: everybody else has turns enough to decide more.
        for (let turn = 0; turn < 5; turn++) yield* Effect.promise(() => new Promise((next) => setImmediate(next)))
        for (const { workflowId } of group) writing.delete(workflowId)
        return results
      }),
    ),
  })
  const root = await createRoot(client)
  const codes: Array<Promise<string>> = []
  for (let n = 0; n < 20; n++) {
    codes.push(codeOf(root.propose(call({ arguments: { n } }))))
    await new Promise((next) => setImmediate(next))
  }
  expect(await Promise.race([Promise.all(codes), overlap])).toEqual(codes.map(() => "ok"))
  expect((await run(verifyTenant(governance.journal, tenant))).problems).toEqual([])
})

it("of a group each workflow is told what became of its own batch", async () => {
  const place = placed(memoryPlace)
  const groups: Array<number> = []
  const a = await opened(place.layer(), {
    wrap: through((group, journal) => {
      groups.push(group.length)
      return journal.append(group)
    }),
  })
  const b = await opened(place.layer())
  const ids = ["w1", "w2", "w3"]
  const roots = await Promise.all(ids.map((id) => createRoot(a.client, id)))
  // Another runtime has moved the second of them on.
  await b.client.propose({ sessionId: "w2-root", ...call() })
  groups.length = 0
  await Promise.all(roots.map((root) => root.propose(call())))
  expect(groups[0]).toBe(3)
  const steps = await Promise.all(ids.map(async (id) => (await b.client.getWorkflow(id)).ledger.steps.reserved))
  expect(steps).toEqual([1, 2, 1])
})

it("a runtime closes after what it is writing, also where nobody waits for it", async () => {
  const clock = new VirtualClock()
  const order = new Set<string>()
  let holds = false
  let goOn = (): void => {}
  const gate = new Promise<void>((open) => {
    goOn = open
  })
  const { client } = await opened(placed(memoryPlace).layer(), {
    clock,
    wrap: through((group, journal) => {
      if (!holds || group.every(({ entries }) => entries.length === 0)) return journal.append(group)
      order.add("begun")
      return Effect.andThen(
        Effect.promise(() => gate),
        Effect.tap(journal.append(group), () => Effect.sync(() => order.add("written"))),
      )
    }),
  })
  const root = await createRoot(client)
  await root.handoff({ toRole: "dev", handoffId: "h1", summary: {} })
  holds = true
  // The offer expires, and nobody has asked.
  await clock.advance(61_000)
  await until(() => order.has("begun"))
  const closed = client.close().then(() => order.add("closed"))
  for (let turn = 0; turn < 10; turn++) await new Promise((next) => setImmediate(next))
  goOn()
  await closed
  expect([...order]).toEqual(["begun", "written", "closed"])
})

it("a runtime that has closed takes no question and no command, whoever still holds it", async () => {
  const { client, governance, run } = await opened(placed(memoryPlace).layer())
  const root = await createRoot(client)
  await client.close()
  const workflowId = WorkflowId.make(root.workflowId)
  const asked = governance.query(tenant, workflowId, (state) => state.seq)
  expect((await run(Effect.flip(asked))).code).toBe("closed")
  const kill = { _tag: "kill", scope: "workflow", workflowId, reason: "late" } as const
  const sent = governance.execute(kill, { tenant, actor: "operator:ann" })
  expect((await run(Effect.flip(sent))).code).toBe("closed")
})

it("what has to be read back is read after what was decided before it is written", async () => {
  let holds = false
  let isWriting = false
  let goOn = (): void => {}
  const { client } = await opened(placed(memoryPlace).layer(), {
    wrap: through((group, journal) => {
      if (!holds || group.every(({ entries }) => entries.length === 0)) return journal.append(group)
      isWriting = true
      return Effect.andThen(
        Effect.promise(() => new Promise<void>((next) => (goOn = next))),
        journal.append(group),
      )
    }),
  })
  const root = await createRoot(client)
  const [step] = await root.propose(call())
  const receipts = [{ stepId: step?.stepId ?? "none", outcome: "committed" as const }]
  holds = true
  const first = root.receipt({ receipts })
  await until(() => isWriting)
  // The step has left the state, and its row is not there yet.
  const second = codeOf(root.receipt({ receipts }))
  await new Promise((next) => setImmediate(next))
  holds = false
  goOn()
  await first
  expect(await second).toBe("ok")
})
