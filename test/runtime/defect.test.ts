/** A bug in the rules fails the one command that meets it; the workflow and its order of commands go on. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { makeMemoryStore, memoryJournal } from "../../src/adapters/memory/MemoryJournal.ts"
import { compile, makeRules } from "../../src/definition/index.ts"
import { canonicalJson } from "../../src/machines/canonical.ts"
import type { Command } from "../../src/machines/commands.ts"
import { HandoffId, SessionId, WorkflowId } from "../../src/machines/ids.ts"
import type { Code } from "../../src/machines/refusals.ts"
import type { Rules } from "../../src/machines/rules.ts"
import type { Actor } from "../../src/runtime/Actor.ts"
import { Committer } from "../../src/runtime/Committer.ts"
import { limits } from "../../src/runtime/limits.ts"
import { codeOf, createRoot, nothingUnhandled, opened, placed, teamYaml } from "./fixtures.ts"
import { memoryPlace, type Opened, places, tenant } from "./open.ts"
import { VirtualClock } from "./VirtualClock.ts"

const workflowId = WorkflowId.make("w1")
const sessionId = SessionId.make("root")

/** Rules whose validator fails as no validator may. */
const broken = (): { readonly rules: Rules; readonly text: string } => {
  const compiled = compile({ file: "workflow.yaml", text: teamYaml })
  if (!compiled.ok) throw new Error("the team does not compile")
  const rules = makeRules(compiled.artifact)
  return {
    rules: {
      ...rules,
      summaryProblems: (edge, summary) => {
        if (JSON.stringify(summary).includes("boom")) throw new Error("a bug in the rules")
        return rules.summaryProblems(edge, summary)
      },
    },
    text: canonicalJson(compiled.artifact.definition),
  }
}
const submit = ({ governance }: Opened, command: Command, birth?: ReturnType<typeof broken>): Promise<Code | "ok"> =>
  new Promise((resolve) =>
    governance.submit(
      command,
      { tenant, actor: "test", workflowId, ...(birth === undefined ? {} : { birth }) },
      (error) => resolve(error?.code ?? "ok"),
    ),
  )
const offer = (handoffId: string, summary: object): Command => ({
  _tag: "offer",
  sessionId,
  toRole: "dev",
  handoffId: HandoffId.make(handoffId),
  summary,
})

describe.each(places)("on %s", (_, makePlace) => {
  it("the command that meets it is told internal, all others are answered in their order", async () => {
    nothingUnhandled()
    const it = await opened(placed(makePlace).layer())
    const birth = broken()
    it.governance.loader.keep(birth.rules)
    const create: Command = {
      _tag: "createRoot",
      workflowId,
      role: "lead",
      agent: "lead",
      sessionId,
      definitionHash: birth.rules.hash,
    }
    expect(await submit(it, create, birth)).toBe("ok")
    // All in one turn: the third meets the bug, and what was decided before it is decided again, still before the rest.
    const codes = await Promise.all([
      submit(it, offer("h1", {})),
      submit(it, offer("h2", {})),
      submit(it, offer("h3", { boom: true })),
      submit(it, { _tag: "withdraw", workflowId, handoffId: HandoffId.make("h2") }),
      submit(it, offer("h4", {})),
    ])
    expect(codes).toEqual(["ok", "ok", "internal", "ok", "ok"])
    for (let n = 0; n < 3; n++) expect(await submit(it, offer("h5", { boom: n }))).toBe("internal")
    expect(await submit(it, offer("h5", {}))).toBe("ok")
    const entries = await it.run(it.governance.journal.read(tenant, workflowId, 0, 100))
    const named = entries.map(
      (entry) => JSON.parse(entry.text) as { seq: number; body: { _tag: string; handoffId?: string } },
    )
    expect(named.map(({ body }) => `${body._tag} ${body.handoffId ?? ""}`)).toEqual([
      "workflow.created ",
      "handoff.offered h1",
      "handoff.offered h2",
      "handoff.withdrawn h2",
      "handoff.offered h4",
      "handoff.offered h5",
    ])
    expect(it.governance.gauges().waiting).toBe(0)
  })
})

it("a question that throws fails alone", async () => {
  nothingUnhandled()
  const it = await opened(placed(memoryPlace).layer())
  await createRoot(it.client)
  const bad = it.run(
    it.governance.query(tenant, workflowId, () => {
      throw new Error("a bug in a view")
    }),
  )
  expect(await codeOf(bad)).toBe("internal")
  expect((await it.client.getWorkflow("w1")).seq).toBe(1)
})

it("a deadline that fires while a command is being looked up does not hide what it ended", async () => {
  const place = placed(memoryPlace)
  const clock = new VirtualClock()
  const first = await opened(place.layer(), { clock })
  const root = await createRoot(first.client)
  await root.handoff({ toRole: "dev", handoffId: "h1", summary: {} })
  await first.client.close()
  // Its key has to be looked up in the store, and in that moment the offer's lease runs out.
  const second = await opened(place.layer(), {
    clock,
    wrap: (journal) => ({
      ...journal,
      lookup: (...args) => {
        clock.now += 60_000
        return journal.lookup(...args)
      },
    }),
  })
  const claim = { workflowId: "w1", handoffId: "h1", parentSessionId: root.sessionId, role: "dev", agent: "d" }
  expect(await codeOf(second.client.claim(claim, { idempotencyKey: "k1" }))).toBe("handoff_closed")
})

it("closing after a refusal at the door waits for nobody", async () => {
  const it = await opened(placed(memoryPlace).layer(), { clock: new VirtualClock() })
  await createRoot(it.client)
  const sent = Array.from({ length: limits.mailbox + 1 }, () => codeOf(it.client.heartbeat({ sessionId: "w1-root" })))
  await Promise.all(sent)
  // On this clock the time after which `close` gives up never comes.
  await it.client.close()
  expect(it.governance.gauges().waiting).toBe(0)
})

it("a committer that finds nothing to write tells whoever waits for it", () => {
  const tasks: Array<() => void> = []
  const committer = new Committer({
    journal: memoryJournal(makeMemoryStore()),
    run: Effect.runFork,
    scheduleAfterActors: (task) => tasks.push(task),
  })
  // Its batch was thrown away by a defect after it had enlisted.
  committer.enlist({ takeAppend: () => undefined } as unknown as Actor)
  let idle = false
  committer.whenIdle(() => {
    idle = true
  })
  expect(idle).toBe(false)
  for (const task of tasks) task()
  expect(idle).toBe(true)
})
