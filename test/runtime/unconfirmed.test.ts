/** What a store could not confirm may have been written: the caller is told so, and its key finds out (I7, I8). */
import { Effect } from "effect"
import { expect, it } from "vitest"
import { StorageUnavailable } from "../../src/runtime/Journal.ts"
import { createRoot, nothingUnhandled, opened, placed, refusal } from "./fixtures.ts"
import { memoryPlace } from "./open.ts"

it("an answer that was lost on its way is not called unwritten, and the same key gets it", async () => {
  nothingUnhandled()
  let losing = false
  const { client } = await opened(placed(memoryPlace).layer(), {
    wrap: (journal) => ({
      ...journal,
      append: (group) =>
        Effect.flatMap(journal.append(group), (results) =>
          losing
            ? Effect.fail(new StorageUnavailable({ reason: "connection", detail: "the connection was lost" }))
            : Effect.succeed(results),
        ),
    }),
  })
  const root = await createRoot(client)
  const offer = { sessionId: root.sessionId, toRole: "dev", handoffId: "h1", summary: {} }
  losing = true
  const lost = await refusal(client.offer(offer, { idempotencyKey: "k1" }))
  losing = false
  expect([lost.code, lost.facts.reason]).toEqual(["storage_unavailable", "connection"])
  expect(lost.detail).not.toContain("Nothing of the command was written")
  const again = await client.offer(offer, { idempotencyKey: "k1" })
  const { handoffs, seq } = await client.getWorkflow("w1")
  expect(handoffs.map(({ handoffId }) => handoffId)).toEqual(["h1"])
  expect(again.seq).toBe(seq)
})
