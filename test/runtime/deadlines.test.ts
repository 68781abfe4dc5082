/** Deadlines are durable: what passed while nobody looked fires at the next start, once (semantics.md §9). */
import { describe, expect, it } from "vitest"
import type { JournalEvent } from "../../src/machines/events.ts"
import { WorkflowId } from "../../src/machines/ids.ts"
import type { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import { limits } from "../../src/runtime/limits.ts"
import { call, codeOf, createRoot, opened, placed, teamYaml, until } from "./fixtures.ts"
import { type Opened, places, tenant } from "./open.ts"
import { VirtualClock } from "./VirtualClock.ts"

const events = async ({ run, governance }: Opened, workflowId = "w1"): Promise<ReadonlyArray<JournalEvent>> => {
  const entries = await run(governance.journal.read(tenant, WorkflowId.make(workflowId), 0, 100_000))
  return entries.map((entry) => JSON.parse(entry.text) as JournalEvent)
}
const fired = async (opened: Opened, workflowId?: string) =>
  (await events(opened, workflowId)).filter((event) => event.actor === "system").map((event) => event.body._tag)

/** Lets the clock run on, and the store carry out what that caused. Nobody asks for a workflow. */
const letRun = async (
  { run, governance }: Opened,
  clock: VirtualClock,
  ms = 3 * limits.deadlinePollMs,
): Promise<void> => {
  for (let turn = 0; turn < 12; turn++) {
    await clock.advance(Math.ceil(ms / 12), ms)
    // Behind whatever was sent to the store before it.
    await run(
      governance.journal.append([
        { tenant, workflowId: WorkflowId.make("none"), expectedSeq: 0, entries: [], projections: [] },
      ]),
    )
  }
}

/** What is left to time in a workflow, and what it becomes when its time has passed. */
const cases: ReadonlyArray<
  readonly [
    name: string,
    definition: string,
    prepare: (client: EmbeddedClient) => Promise<unknown>,
    becomes: ReadonlyArray<string>,
    overdueMs: number,
  ]
> = [
  [
    "an offer's lease",
    teamYaml,
    (client) => client.offer({ sessionId: "w1-root", toRole: "dev", handoffId: "h1", summary: {} }),
    ["handoff.expired"],
    61_000,
  ],
  [
    "a claim's lease",
    teamYaml,
    async (client) => {
      await client.offer({ sessionId: "w1-root", toRole: "dev", handoffId: "h1", summary: {} })
      await client.claim({ workflowId: "w1", handoffId: "h1", parentSessionId: "w1-root", role: "dev", agent: "d" })
    },
    ["handoff.reclaimed"],
    11_000,
  ],
  [
    "the workflow's duration",
    teamYaml.replace("limits: {", "limits: { max_duration: 30s,"),
    async () => {},
    ["killed"],
    31_000,
  ],
  [
    "a preflight's reservation",
    teamYaml,
    (client) => client.preflight({ sessionId: "w1-root", estimatedCost: 5 }),
    ["budget.returned"],
    4_000,
  ],
  [
    "an orphan's release",
    teamYaml,
    async (client) => {
      await client.offer({ sessionId: "w1-root", toRole: "dev", handoffId: "h1", summary: {} })
      await client.claim({
        workflowId: "w1",
        handoffId: "h1",
        parentSessionId: "w1-root",
        role: "dev",
        agent: "d",
        sessionId: "d1",
      })
      await client.propose({ sessionId: "d1", ...call({ resources: [{ name: "env", key: "prod" }] }) })
      await client.kill({ scope: "session", sessionId: "d1", reason: "stop" })
    },
    ["steps.resolved"],
    6_000,
  ],
  [
    "an approval's time",
    teamYaml.replace("name: lead,", "name: lead, session_contract: lead/session.yaml,"),
    (client) => client.propose({ sessionId: "w1-root", ...call({ tool: "deploy" }) }),
    ["steps.resolved"],
    31_000,
  ],
]
/** Read beside workflow.yaml where it names a session contract. */
const files = {
  "lead/session.yaml": 'schema_version: "1.0"\nagent: lead\n',
  "lead/deploy.yaml": "tool: deploy\nside_effect: write\ncheckpoint: { timeout: 30s }\n",
}

describe.each(places)("on %s", (_, makePlace) => {
  it.each(cases)(
    "%s that ran out while no process ran fires at the next start, once",
    async (_name, yaml, prepare, becomes, overdueMs) => {
      const place = placed(makePlace)
      const clock = new VirtualClock()
      const first = await opened(place.layer(), { clock })
      await createRoot(first.client, "w1", yaml.includes("session_contract") ? { workflowYaml: yaml, files } : yaml)
      await prepare(first.client)
      expect(await fired(first)).toEqual([])
      await first.client.close()
      clock.now += overdueMs
      const second = await opened(place.layer(), { clock })
      // A store that is not in this process takes its time, whatever our clock says.
      await until(async () => {
        await letRun(second, clock)
        return (await fired(second)).length >= becomes.length
      })
      expect(await fired(second)).toEqual(becomes)
      await letRun(second, clock)
      await second.client.close()
      const third = await opened(place.layer(), { clock })
      await letRun(third, clock)
      expect(await fired(third)).toEqual(becomes)
    },
  )

  it("a lease that has run out is not held any more, even where nobody has looked yet", async () => {
    const place = placed(makePlace)
    const clock = new VirtualClock()
    const { client } = await opened(place.layer(), { clock })
    const root = await createRoot(client)
    await root.handoff({ toRole: "dev", handoffId: "h1", summary: {} })
    const claim = { workflowId: "w1", handoffId: "h1", parentSessionId: root.sessionId, role: "dev", agent: "d" }
    const child = await client.claim(claim)
    clock.now += 10_000
    expect(await codeOf(child.propose(call()))).toBe("session_killed")
    expect((await client.claim(claim)).handedOver?.generation).toBe(2)
  })

  it("two runtimes that both see a deadline fire it once", async () => {
    const place = placed(makePlace)
    const clock = new VirtualClock()
    const a = await opened(place.layer(), { clock })
    const b = await opened(place.layer(), { clock })
    await createRoot(a.client)
    await a.client.offer({ sessionId: "w1-root", toRole: "dev", handoffId: "h1", summary: {} })
    await b.client.getWorkflow("w1")
    await letRun(b, clock, 70_000)
    await until(async () => {
      await letRun(a, clock)
      return (await fired(a)).length > 0
    })
    expect(await fired(a)).toEqual(["handoff.expired"])
  })

  it("what ended with a deadline still ahead of it never keeps others from being timed", async () => {
    const place = placed(makePlace)
    const clock = new VirtualClock()
    const first = await opened(place.layer(), { clock })
    const timed = teamYaml.replace("limits: {", "limits: { max_duration: 30s,")
    const ended = Array.from({ length: limits.dueWorkflows + 10 }, (_, index) => `e${index}`)
    await Promise.all(ended.map(async (id) => (await createRoot(first.client, id, timed)).complete()))
    clock.now += 1000
    await createRoot(first.client)
    await first.client.offer({ sessionId: "w1-root", toRole: "dev", handoffId: "h1", summary: {} })
    await first.client.close()
    clock.now += 70_000
    const second = await opened(place.layer(), { clock })
    // A store that is not in this process takes its time, whatever our clock says.
    await until(async () => {
      await letRun(second, clock, limits.deadlinePollMs)
      return (await second.run(second.governance.journal.nextWake)) === null
    })
    expect(await fired(second)).toEqual(["handoff.expired"])
  })
})
