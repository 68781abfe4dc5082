/** A session hears that it has ended as soon as its workflow's events say so, whoever ended it (semantics.md §8). */
import { expect, onTestFinished, test } from "vitest"
import type { Handrail } from "../../src/sdk/Handrail.ts"
import { SessionLink } from "../../src/sdk/link/SessionLink.ts"
import type { WorkflowSettings } from "../../src/sdk/options.ts"
import { errorOf, gate, governance, lead, openRuntime, workflowYaml } from "./fixtures.ts"

const linked = (runtime: Handrail, sessionId: string, workflow: object): SessionLink => {
  const settings = { runtime, sessionId, commandRetries: 0, recover: {}, workflow: { workflowId: "w1", ...workflow } }
  const deaf = { onOpen: () => {}, onEvent: () => {} }
  const link = new SessionLink(sessionId, settings as unknown as WorkflowSettings, workflowYaml, deaf)
  onTestFinished(() => link.feed.stop())
  return link
}

/** A lead and its worker, both open. */
const pair = async () => {
  const runtime = await openRuntime()
  const root = linked(runtime, "root", { type: "root", role: "lead" })
  const { session } = await root.ready()
  await session.handoff({ toRole: "worker", handoffId: "h1" })
  const child = linked(runtime, "child", { type: "child", role: "worker", parentSessionId: "root", handoffId: "h1" })
  await child.ready()
  return { runtime, session, child }
}
type Pair = Awaited<ReturnType<typeof pair>>

const ends: ReadonlyArray<readonly [what: string, tag: string, end: (pair: Pair) => Promise<unknown>]> = [
  ["its kill", "killed", ({ runtime }) => runtime.kill({ sessionId: "child", scope: "session", reason: "enough" })],
  ["its reclaim", "handoff.reclaimed", ({ session }) => session.reclaim({ handoffId: "h1" })],
  ["its parent's failure", "session.failed", ({ session }) => session.fail("enough")],
]

test.each(ends)("of %s", async (_, tag, end) => {
  const opened = await pair()
  const { child } = opened
  // Whoever listens to the feed is told of an event after the session has minded it; one that has ended is told nothing.
  const heard = new Promise<string>((resolve) => {
    child.life.onEnd(() => resolve("it has ended"))
    child.feed.listen(({ body }) => {
      if (body._tag === tag) resolve("it was let pass")
    })
  })
  await end(opened)
  expect(await heard).toBe("it has ended")
  expect([child.life.isKilled, child.life.signal.aborted]).toEqual([true, true])
})

test("a kill aborts the session's signal and that of each tool that runs", async () => {
  const runtime = await openRuntime()
  const [started, done] = [gate(), gate()]
  let running: AbortSignal | undefined
  const session = lead(runtime, governance(), {
    post: async (_: unknown, { signal }) => {
      running = signal
      started.open()
      await done.opened
    },
  })
  const call = session.tools.post(null).catch(() => {})
  await started.opened
  // An attempt to go on hears of the kill for sure, whatever has become of the events.
  await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
  await session.heartbeat().catch(() => {})
  expect([session.signal.aborted, running?.aborted]).toEqual([true, true])
  done.open()
  await call
})

test("what a tool that was left behind says in the end is reported", async () => {
  const runtime = await openRuntime()
  const late = gate()
  const session = lead(runtime, governance(), { hurry: () => late.opened })
  await errorOf(session.tools.hurry())
  const unresolved = async () => (await session.getState()).steps.length
  expect(await unresolved()).toBe(1)
  late.open()
  // Nobody waits for the report, so it is looked for, with patience, but not for ever.
  for (let turn = 0; turn < 1000 && (await unresolved()) > 0; turn++) await new Promise((next) => setImmediate(next))
  expect(await unresolved()).toBe(0)
})
