/** A session acts in its own workflow only; in another one of the same tenant it is nobody (semantics.md §3). */
import { Effect } from "effect"
import { expect, it } from "vitest"
import { StorageUnavailable } from "../../src/runtime/Journal.ts"
import { codeOf, createRoot, opened, placed } from "./fixtures.ts"
import { memoryPlace } from "./open.ts"

it("a session of another workflow is not found, whether it lives or was killed", async () => {
  let lookups = 0
  const { client } = await opened(placed(memoryPlace).layer(), {
    wrap: (journal) => ({
      ...journal,
      // Each command reads back twice at most: one that asks for ever must fail here, not hang.
      lookup: (...args) =>
        ++lookups > 100
          ? Effect.fail(new StorageUnavailable({ reason: "io", detail: "asked too often" }))
          : journal.lookup(...args),
    }),
  })
  const [root] = [await createRoot(client, "w1"), await createRoot(client, "w2")]
  await root.handoff({ toRole: "dev", handoffId: "h1", summary: {} })
  const about = { workflowId: "w1", handoffId: "h1", sessionId: "w2-root" }
  const killed = () => codeOf(client.kill({ workflowId: "w1", scope: "session", sessionId: "w2-root", reason: "r" }))
  expect([await codeOf(client.reclaim(about)), await codeOf(client.withdraw(about)), await killed()]).toEqual(
    Array(3).fill("session_not_found"),
  )
  await client.kill({ workflowId: "w2", scope: "workflow", reason: "over" })
  expect([await codeOf(client.withdraw(about)), await killed()]).toEqual(Array(2).fill("session_not_found"))
  expect((await client.getHandoff("w1", "h1")).status).toBe("offered")
})
