/** What it costs to open a workflow follows from what is open and from the tail after its snapshot, never from its history. */
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { compile, makeRules } from "../../src/definition/index.ts"
import type { JournalEvent } from "../../src/machines/events.ts"
import { WorkflowId } from "../../src/machines/ids.ts"
import type { Journal } from "../../src/runtime/Journal.ts"
import { limits } from "../../src/runtime/limits.ts"
import { verifyTenant } from "../../src/runtime/verify.ts"
import { checkFold } from "../machines/FoldChecker.ts"
import { call, createRoot, opened, placed, teamYaml } from "./fixtures.ts"
import { places, tenant } from "./open.ts"

describe.each(places)("on %s", (_, makePlace) => {
  it("thousands of committed steps are behind a snapshot; only the tail is read (I9)", async () => {
    const place = placed(makePlace)
    const first = await opened(place.layer())
    const root = await createRoot(first.client)
    const lane = async (name: string): Promise<void> => {
      for (let n = 0; n < 110; n++) {
        const calls = Array.from({ length: 10 }, () => ({ tool: name, estimatedCost: 0 }))
        const steps = await root.propose({ calls })
        await root.receipt({ receipts: steps.map(({ stepId }) => ({ stepId, outcome: "committed" as const })) })
      }
    }
    await Promise.all(["a", "b", "c", "d"].map(lane))
    const [open] = await root.propose(call({ resources: [{ name: "env", key: "prod" }] }))
    const before = await first.client.getWorkflow("w1")
    expect(before.ledger.steps.used).toBe(4400)
    await first.client.close()

    let read = 0
    let snapshotBytes = 0
    const watch = (journal: Journal["Service"]): Journal["Service"] => ({
      ...journal,
      load: (...args) =>
        Effect.tap(journal.load(...args), (loaded) =>
          Effect.sync(() => {
            read += loaded?.entries.length ?? 0
            snapshotBytes = loaded?.snapshot?.text.length ?? 0
          }),
        ),
      read: (...args) =>
        Effect.tap(journal.read(...args), (entries) =>
          Effect.sync(() => {
            read += entries.length
          }),
        ),
    })
    const second = await opened(place.layer(), { wrap: watch })
    const after = await second.client.getWorkflow("w1")
    expect(after).toEqual(before)
    expect(after.seq).toBeGreaterThan(880)
    expect(read).toBeLessThanOrEqual(2 * limits.snapshotEvery)
    expect(snapshotBytes).toBeLessThan(20_000)
    await second.client.receipt({
      sessionId: root.sessionId,
      receipts: [{ stepId: open?.stepId ?? "", outcome: "committed" }],
    })
    expect(read).toBeLessThanOrEqual(2 * limits.snapshotEvery)

    expect((await second.run(verifyTenant(second.governance.journal, tenant))).problems).toEqual([])
    const entries = await second.run(second.governance.journal.read(tenant, WorkflowId.make("w1"), 0, 100_000))
    const compiled = compile({ file: "workflow.yaml", text: teamYaml })
    if (!compiled.ok) throw new Error("the team does not compile")
    const state = checkFold(
      makeRules(compiled.artifact),
      entries.map((entry) => JSON.parse(entry.text) as JournalEvent),
    )
    expect(state?.account.stepsUsed).toBe(4401)
    expect(state?.steps.size).toBe(0)
  })
})
