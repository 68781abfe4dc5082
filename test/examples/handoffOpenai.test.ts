/** The example of a handoff between two providers' agents. */
import { describe, expect, test } from "vitest"
import { bodies, patience, proposedTools, runExample } from "./runExample.ts"

describe("examples/handoff-openai", () => {
  test("one of two scanners does the work, its model can't merge, and the orchestrator gets the result", {
    timeout: patience,
  }, async () => {
    const run = await runExample("handoff-openai")
    // What the tools did, and did not.
    expect(run.lines("findings.jsonl")).toMatchObject([{ file: "src/login.ts", severity: "high" }])
    expect(run.has("merged.txt")).toBe(false)

    const journal = await run.journal("review-pr-42")
    const { view } = journal
    expect(view.status).toBe("completed")
    const claims = bodies(journal, "handoff.claimed")
    expect(claims).toMatchObject([{ handoffId: "scan-pr-42", generation: 1 }])
    expect(view.sessions.map(({ role, status }) => `${role} ${status}`).sort()).toEqual([
      "code-scanner completed",
      "orchestrator completed",
    ])
    // Both were there: the one that is not in the journal was refused.
    const winner = claims[0]?.sessionId
    expect(run.stdout).toContain(`scanner-${winner === "scanner-1" ? 2 : 1}: refused: handoff_already_claimed`)
    expect(proposedTools(journal)).toEqual(["review_pull_request", "read_file", "read_file", "report_finding"])

    // Six answers of models were paid, the blocked one among them.
    const paid = bodies(journal, "steps.proposed").flatMap(({ sessionId, usage }) =>
      usage === undefined ? [] : sessionId,
    )
    expect(paid.filter((sessionId) => sessionId === winner)).toHaveLength(4)
    expect(paid).toHaveLength(7)
    expect(view.ledger.cost).toMatchObject({ reserved: 0, max: 0.5 })
    expect(view.ledger.cost.used).toBeGreaterThan(0)
    const [ended] = bodies(journal, "session.completed").filter(({ sessionId }) => sessionId === winner)
    expect(ended?.result).toMatchObject({ findings: [{ file: "src/login.ts" }] })
    expect(run.stdout).toContain("orchestrator: Do not merge #42")
  })
})
