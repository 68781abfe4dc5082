/** The example of ten workers over one queue with one purse. */
import { describe, expect, test } from "vitest"
import { bodies, type Journal, patience, runExample } from "./runExample.ts"

describe("examples/swarm", () => {
  test("every text is done once, the dead worker's too, and nothing goes on without money", {
    timeout: patience,
  }, async () => {
    const run = await runExample("swarm")
    const texts = Array.from({ length: 30 }, (_, index) => `text-${index + 1}`)
    const done = run.lines("translations.jsonl")
    expect(done.map(({ handoffId }) => handoffId).sort()).toEqual(texts.sort())
    expect(done.map(({ by }) => by)).not.toContain("worker-0")

    const journal = await run.journal("translate-30")
    const { view } = journal
    expect(view.status).toBe("completed")
    expect(view.ledger).toMatchObject({
      cost: { max: 0.6, reserved: 0 },
      openHandoffs: { used: 0 },
      steps: { used: 30 },
    })

    // One claimant a generation, and one generation more for what the dead worker had claimed (I1).
    const claims = bodies(journal, "handoff.claimed").map(({ handoffId, generation }) => `${handoffId} ${generation}`)
    expect(new Set(claims).size).toBe(claims.length)
    // On a busy machine a worker that lives may be late as well, and is taken for dead: its text goes to another, too.
    const reclaims = bodies(journal, "handoff.reclaimed")
    expect(reclaims[0]).toMatchObject({ reason: "claim_timeout", status: "offered" })
    expect(claims).toHaveLength(30 + reclaims.length)

    expect(openAtMost(journal)).toBe(12)
    const raised = journal.events.findIndex(({ body }) => body._tag === "limits.raised")
    expect(journal.events[raised]).toMatchObject({ actor: "operator:ann" })
    const before = { ...journal, events: journal.events.slice(0, raised) }
    // It ran out in the middle, and nobody was in the middle of anything when the operator came.
    expect(bodies(before, "session.completed").length).toBeLessThan(30)
    expect(unresolved(before)).toEqual([])
    expect(reserved(before)).toEqual([])
  })
})

const openAtMost = (journal: Journal): number => {
  let open = 0
  let most = 0
  for (const { body } of journal.events) {
    if (body._tag === "handoff.offered") open += 1
    if (body._tag === "session.completed" && body.handoffId !== null) open -= 1
    most = Math.max(most, open)
  }
  return most
}

const unresolved = (journal: Journal): ReadonlyArray<string> => {
  const ended = new Set<string>(
    bodies(journal, "steps.resolved").flatMap(({ steps }) => steps.map(({ stepId }) => stepId)),
  )
  return bodies(journal, "steps.proposed")
    .flatMap(({ steps }) => steps.map(({ stepId }) => stepId))
    .filter((stepId) => !ended.has(stepId))
}

const reserved = (journal: Journal): ReadonlyArray<string> => {
  const used = new Set<string | undefined>([
    ...bodies(journal, "steps.proposed").map(({ preparedRequestId }) => preparedRequestId),
    ...bodies(journal, "budget.returned").map(({ preparedRequestId }) => preparedRequestId),
  ])
  return bodies(journal, "budget.reserved")
    .map(({ preparedRequestId }) => preparedRequestId)
    .filter((id) => !used.has(id))
}
