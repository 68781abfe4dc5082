/** The beats of a claim lease, on a clock that the test moves (semantics.md §9). */
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { Heartbeats } from "../../src/sdk/link/Heartbeats.ts"
import { Life } from "../../src/sdk/link/Life.ts"
import type { SessionLink } from "../../src/sdk/link/SessionLink.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A claimant with a lease of 6 s. `beat` answers each heartbeat. */
const claimant = (beat: () => { readonly claimDeadline: number | null }) => {
  const life = new Life()
  let beats = 0
  const link = {
    life,
    read: () => Promise.resolve({ status: "claimed", updatedAt: 1000, deadline: 7000 }),
    command: () => {
      beats += 1
      return Promise.resolve(beat())
    },
  }
  const heartbeats = new Heartbeats(link as unknown as SessionLink, "h1")
  return { heartbeats, life, beats: () => beats }
}

test("come at once and then every third of the lease", async () => {
  const { heartbeats, beats } = claimant(() => ({ claimDeadline: 9000 }))
  heartbeats.start()
  await vi.advanceTimersByTimeAsync(0)
  expect(beats()).toBe(1)
  await vi.advanceTimersByTimeAsync(1999)
  expect(beats()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(beats()).toBe(2)
  await vi.advanceTimersByTimeAsync(6000)
  expect(beats()).toBe(5)
})

test("end once there is no lease any more", async () => {
  const { heartbeats, beats } = claimant(() => ({ claimDeadline: null }))
  heartbeats.start()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(beats()).toBe(1)
})

test("end with the session", async () => {
  const { heartbeats, life, beats } = claimant(() => ({ claimDeadline: 9000 }))
  heartbeats.start()
  await vi.advanceTimersByTimeAsync(0)
  life.end(new Error("over"), { abort: true })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(beats()).toBe(1)
})
