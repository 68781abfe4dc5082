/** A runtime that is closed in the middle answers everything, and nothing that it acknowledged is lost (I7). */

import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { WorkflowError } from "../../src/runtime/errors.ts"
import { verifyTenant } from "../../src/runtime/verify.ts"
import { call, codeOf, createRoot, nothingUnhandled, opened, placed } from "./fixtures.ts"
import { places, tenant } from "./open.ts"

describe.each(places)("on %s", (_, makePlace) => {
  it("two runtimes in one process work on one store, and see what the other did", async () => {
    const place = placed(makePlace)
    const [a, b] = [await opened(place.layer()), await opened(place.layer())]
    const root = await createRoot(a.client)
    const tickets = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        (index % 2 === 0 ? a : b).client.offer({
          sessionId: root.sessionId,
          toRole: "dev",
          summary: {},
          handoffId: `h${index}`,
        }),
      ),
    )
    const claim = { workflowId: "w1", parentSessionId: root.sessionId, role: "dev", agent: "d" }
    const claims = await Promise.all(
      tickets.flatMap(({ handoffId }) => [a, b].map(({ client }) => codeOf(client.claim({ ...claim, handoffId })))),
    )
    expect(claims.filter((code) => code === "ok")).toHaveLength(30)
    expect(claims.filter((code) => code === "handoff_already_claimed")).toHaveLength(30)
    const views = await Promise.all([a, b].map(({ client }) => client.getWorkflow("w1")))
    expect(views[0]).toEqual(views[1])
    expect((await Effect.runPromise(verifyTenant(a.governance.journal, tenant))).problems).toEqual([])
  })

  it("closed with hundreds of commands in flight, each gets its answer or a typed error", async () => {
    nothingUnhandled()
    const place = placed(makePlace)
    const first = await opened(place.layer())
    const workflows = Array.from({ length: 20 }, (_, index) => `w${index}`)
    await Promise.all(workflows.map((id) => createRoot(first.client, id)))
    const told: Array<readonly [workflowId: string, stepId: string]> = []
    const codes = new Set<string>()
    const send = async (workflowId: string, n: number): Promise<void> => {
      try {
        const { steps } = await first.client.propose({ sessionId: `${workflowId}-root`, ...call({ arguments: { n } }) })
        told.push([workflowId, steps[0]?.stepId ?? ""])
      } catch (error) {
        codes.add(error instanceof WorkflowError ? error.code : String(error))
      }
    }
    const early = workflows.flatMap((id) => Array.from({ length: 20 }, (_, n) => send(id, n)))
    const closing = first.client.close()
    const late = workflows.map((id) => send(id, 99))
    await Promise.all([...early, ...late, closing])
    for (const code of codes) expect(["closed", "storage_unavailable"]).toContain(code)
    expect(codes.has("closed")).toBe(true)
    expect(told.length).toBeGreaterThan(0)
    for (const sent of [first.client.getWorkflow("w1"), first.client.listWorkflows()])
      expect(await codeOf(sent)).toBe("closed")

    const second = await opened(place.layer())
    for (const workflowId of workflows) {
      const { steps } = await second.client.getSession(`${workflowId}-root`)
      const known = steps.map((step) => step.stepId as string)
      for (const [id, stepId] of told) if (id === workflowId) expect(known).toContain(stepId)
    }
    expect((await Effect.runPromise(verifyTenant(second.governance.journal, tenant))).problems).toEqual([])
  })

  it("may be closed twice, and together", async () => {
    nothingUnhandled()
    const { client } = await opened(placed(makePlace).layer())
    await createRoot(client)
    await Promise.all([client.close(), client.close()])
    await client.close()
    expect(await codeOf(client.heartbeat({ sessionId: "w1-root" }))).toBe("closed")
  })
})
