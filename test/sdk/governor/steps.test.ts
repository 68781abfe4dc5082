/** Which step a call runs under, and what is told of it: ids that come twice, results, and what others said meanwhile. */
import { describe, expect, test } from "vitest"
import { errorOf, gate, governance, lead, openRuntime, resolutions, resolved, workflowYaml } from "../fixtures.ts"
import { flaky } from "../flaky.ts"
import { ask, begin } from "./model.ts"

const unlimited = { "workflow.yaml": workflowYaml.replace(", max_cost: 100", "") }
const phased = {
  ...unlimited,
  "lead/session.yaml": `schema_version: "1.0"
agent: lead
phases: [{ name: check, initial: true }, { name: act, terminal: true }]
transitions: { check: [act] }
`,
  "lead/look.yaml": "tool: look\nside_effect: read\ntransitions: { valid_in_phases: [check], advances_to: act }\n",
}

describe("calls to which a provider gives one id", () => {
  const twice = [
    { callId: "x", tool: "look", arguments: `{"at":1}` },
    { callId: "x", tool: "look", arguments: `{"at":2}` },
  ]

  test("each run under a step of their own", async () => {
    const runtime = await openRuntime()
    const ran: Array<string> = []
    const look = ({ at }: { at: number }) => ran.push(`${at}`)
    const session = lead(runtime, governance(unlimited), { look })
    const { turn } = await begin(session)
    await turn.finish({ model: "model-1", usage: undefined, calls: twice })
    await session.tools.look({ at: 2 })
    await session.tools.look({ at: 1 })
    expect(ran).toEqual(["2", "1"])
    expect(await session.complete()).toMatchObject({ status: "completed" })
    expect(await resolutions(runtime)).toEqual(["look committed", "look committed"])
  })

  test("are stripped together, because no answer can be rid of one of them", async () => {
    const session = lead(await openRuntime(), governance(unlimited), {}, { gate: "strip_blocked" })
    const { turn } = await begin(session)
    const calls = [{ callId: "x", tool: "pay", arguments: "{}" }, ...twice]
    expect([...(await turn.finish({ model: "model-1", usage: undefined, calls })).removed.keys()]).toEqual(["x"])
    expect((await session.getState()).steps).toEqual([])
  })

  test("in one answer after the other are told apart by their order", async () => {
    const runtime = await openRuntime()
    const session = lead(runtime, governance(unlimited), {})
    const results: Array<{ callId: string; output: string; isError: boolean }> = []
    for (const output of ["1", "2"]) {
      const { turn } = await begin(session, { results })
      await turn.finish({ model: "model-1", usage: undefined, calls: twice.slice(0, 1) })
      results.push({ callId: "x", output, isError: false })
    }
    await ask(session, { results })
    expect((await resolved(runtime)).map(({ evidence }) => evidence)).toEqual([1, 2])
  })
})

test("a result that could not be told is told with the next request", async () => {
  const runtime = await openRuntime()
  const session = lead(flaky(runtime, "receipt", 3), governance(unlimited), {})
  const { callId } = await ask(session, { calls: [{ tool: "look" }] })
  const results = [{ callId: callId(0), output: "1", isError: false }]
  await ask(session, { results })
  expect(await resolutions(runtime)).toEqual([])
  await ask(session, { results })
  expect(await resolutions(runtime)).toEqual(["look committed"])
})

test.each(["the agent", "an operator"])("a call never runs under a step that %s has resolved", async (who) => {
  const runtime = await openRuntime()
  let hasRun = false
  const look = () => {
    hasRun = true
  }
  const session = lead(runtime, governance(phased), { look })
  await ask(session, { calls: [{ tool: "look" }] })
  const [step] = (await session.getState()).steps
  const outcome = { stepId: step?.stepId ?? "", outcome: "committed" } as const
  if (who === "the agent") await session.receipt(outcome)
  else await runtime.resolveStep({ workflowId: "w1", reason: "seen", ...outcome })
  await expect.poll(() => session.phase).toBe("act")
  expect(await errorOf(session.tools.look())).toMatchObject({ failures: [{ code: "phase_blocked" }] })
  expect(hasRun).toBe(false)
  expect(await resolutions(runtime)).toEqual(["look committed"])
})

test("a result nested too deeply for the journal is left out of it, and its step is committed", async () => {
  const runtime = await openRuntime()
  const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}1${"]".repeat(levels)}`)
  const session = lead(runtime, governance(unlimited), { look: ({ levels }: { levels: number }) => deep(levels) })
  for (const levels of [126, 127, 5000]) await session.tools.look({ levels })
  expect((await resolved(runtime)).map(({ evidence }) => evidence ?? null)).toEqual([deep(126), null, null])
})

test("what a hook says of a step counts as soon as the session is open", async () => {
  const runtime = await openRuntime()
  const folder = governance(phased)
  const [begun, ends] = [gate(), gate()]
  const first = lead(runtime, folder, {
    look: () => {
      begun.open()
      return ends.opened
    },
  })
  const running = first.tools.look()
  await begun.opened
  const again = lead(runtime, folder, {}, { recover: { look: () => "committed" } })
  await again.ready()
  expect(again.phase).toBe("act")
  ends.open()
  await running
})

test("a session that comes back while the store is away is never judged without its past and admitted with it", async () => {
  const runtime = await openRuntime()
  const limits = `schema_version: "1.0"\nagent: lead\nsession_limits: { max_tool_calls: 1 }\n`
  const folder = governance({ ...unlimited, "lead/session.yaml": limits })
  const first = lead(runtime, folder, { look: () => 1 })
  await first.tools.look()
  await first.close()
  const again = lead(flaky(runtime, "createRoot", 3), folder, { look: () => 1 }, { onError: "allow" })
  expect(await errorOf(again.tools.look())).toMatchObject({ failures: [{ code: "session_limit_exceeded" }] })
  expect(await resolutions(runtime)).toEqual(["look committed"])
})

test("an async listener that rejects changes nothing", async () => {
  const rejected: Array<unknown> = []
  const note = (why: unknown) => rejected.push(why)
  process.on("unhandledRejection", note)
  try {
    const onDecision = async () => {
      throw new Error("it could not be logged")
    }
    const session = lead(await openRuntime(), governance(unlimited), { look: () => 1 }, { onDecision })
    expect(await session.tools.look()).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(rejected).toEqual([])
  } finally {
    process.off("unhandledRejection", note)
  }
})
