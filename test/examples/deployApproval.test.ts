/** The example of a deployment that a person approves, while its agent dies twice. */
import { describe, expect, test } from "vitest"
import { bodies, patience, runExample } from "./runExample.ts"

describe("examples/deploy-approval", () => {
  test("what was approved is deployed once, what was refused never, and no late write lands", {
    timeout: patience,
  }, async () => {
    const run = await runExample("deploy-approval")
    // The late writer of the first deployment was refused, or this would be 1.4.2.
    expect(run.text("production.txt")).toBe("1.4.3")
    expect(run.stdout).toContain("refused: token 1 is stale, 2 was seen")

    const journal = await run.journal("deploy-7")
    const { view, events } = journal
    expect(view.status).toBe("completed")
    expect(view.sessions).toHaveLength(1)
    expect(view.resources).toMatchObject([{ name: "environment", key: "production", fence: 2, version: 2, steps: [] }])

    // Asked once each: the call that was waiting when its process was killed was not asked anew.
    const asked = bodies(journal, "steps.proposed").flatMap(({ steps }) =>
      steps.filter(({ tool }) => tool === "deploy"),
    )
    expect(asked.map(({ arguments: args, status }) => [args, status])).toEqual(
      ["1.4.2", "1.4.3", "2.0.0"].map((version) => [{ environment: "production", version }, "awaiting_approval"]),
    )
    const deciding = events.flatMap(({ actor, body }) => {
      if (body._tag === "step.approved") return [[actor, body.stepId, body.reason]]
      return body._tag === "steps.resolved" && body.rejected === true
        ? [[actor, body.steps[0]?.stepId, body.reason]]
        : []
    })
    expect(deciding).toEqual([
      ["operator:ann", asked[0]?.stepId, "1.4.2 was reviewed"],
      ["operator:ann", asked[1]?.stepId, "1.4.3 was reviewed"],
      ["operator:ann", asked[2]?.stepId, "not before the freeze ends"],
    ])
    const outcomes = bodies(journal, "steps.resolved").flatMap(({ steps }) =>
      steps.map(({ stepId, outcome }) => [stepId, outcome]),
    )
    expect(outcomes.slice(-3)).toEqual([
      [asked[0]?.stepId, "committed"],
      [asked[1]?.stepId, "committed"],
      [asked[2]?.stepId, "aborted"],
    ])

    // What the model was told, over all its agent's lives.
    const { input } = JSON.parse(run.text("conversation.json"))
    const told = input.filter(({ type }: { type?: string }) => type === "function_call_output")
    expect(told.map(({ output }: { output: string }) => output)).toEqual([
      '{"passed":true}',
      "It is done: 1.4.2.",
      '{"live":"1.4.3"}',
      expect.stringContaining("not before the freeze ends"),
    ])
  })
})
