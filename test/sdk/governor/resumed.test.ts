/** What a session may do after a crash: whatever happened, a new process judges as the old one did. */
import fc from "fast-check"
import { expect, test } from "vitest"
import type { Client } from "../../../src/index.ts"
import { ReplaySession } from "../../../src/sdk/ReplaySession.ts"
import { governance, lead, openRuntime, workflowYaml } from "../fixtures.ts"
import { begin } from "./model.ts"

const folderOf = () =>
  governance({
    "workflow.yaml": workflowYaml,
    "lead/session.yaml": `schema_version: "1.0"
agent: lead
phases: [{ name: check, initial: true }, { name: act }, { name: done, terminal: true }]
transitions: { check: [act], act: [check, done] }
session_limits:
  max_steps: 9
  max_tool_calls: 12
  max_cost_per_session: 12
  max_calls_per_tool: { post: 4 }
`,
    "lead/look.yaml": "tool: look\nside_effect: read\ncost: { estimate: 1 }\ntransitions: { advances_to: act }\n",
    "lead/post.yaml": `tool: post
side_effect: write
evidence_class: local_transaction
cost: { estimate: 0.25 }
preconditions:
  - { requires_prior_tool: look, with_output: [{ path: $.value, gte: 2 }] }
`,
    "lead/guess.yaml": "tool: guess\nside_effect: write\nforbids_after: [transact]\ncost: { estimate: 1 }\n",
    "lead/transact.yaml":
      "tool: transact\nside_effect: write\ncost: { estimate: 1 }\npreconditions: [{ requires_prior_tool: guess, with_output: [{ path: $.value, exists: true }] }]\ntransitions: { valid_in_phases: [act], advances_to: check }\n",
    "lead/refund.yaml":
      "tool: refund\nside_effect: financial\ncost: { estimate: 1 }\ntransitions: { valid_in_phases: [act], advances_to: done }\n",
  })

const names = ["look", "post", "guess", "transact", "refund", "nothing"] as const

type Act =
  | {
      readonly do: "call"
      readonly tool: (typeof names)[number]
      readonly value: number | null
      readonly cost: number | undefined
      readonly throws: boolean
    }
  | { readonly do: "ask"; readonly tools: ReadonlyArray<(typeof names)[number]>; readonly tells: boolean }

const tool = fc.constantFrom(...names)
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    do: fc.constant("call" as const),
    tool,
    value: fc.option(fc.integer({ min: 0, max: 3 })),
    cost: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    throws: fc.boolean(),
  }),
  fc.record({ do: fc.constant("ask" as const), tools: fc.array(tool, { maxLength: 3 }), tells: fc.boolean() }),
)

const sessionIn = (runtime: Client, folder: string, next: () => Act | undefined) => {
  const run = (_: unknown, { settle }: { settle: (report: { actualCost?: number }) => void }): unknown => {
    const now = next()
    if (now?.do !== "call") return null
    if (now.cost !== undefined) settle({ actualCost: now.cost })
    if (now.throws) throw new Error("it broke")
    return now.value === null ? null : { value: now.value }
  }
  const tools = Object.fromEntries(["look", "post", "guess"].map((name) => [name, run]))
  return lead(runtime, folder, tools, { prices: { "model-1": { input: 100, output: 1000 } }, gate: "strip_blocked" })
}

/** What each tool's call would be answered with, and nothing remembered. */
const verdicts = (session: ReturnType<typeof lead>) => {
  const { rulebook } = ReplaySession.pipelineOf(session)
  return { phase: session.phase, cost: rulebook.costLeft, narrowed: [...rulebook.narrow(names)] }
}

test("a new process of a session judges as the old one did, whatever its turns were", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 14 }), async (acts) => {
      const runtime = await openRuntime()
      const folder = folderOf()
      let now: Act | undefined
      const old = sessionIn(runtime, folder, () => now)
      await old.ready()
      for (const each of acts) {
        now = each
        if (each.do === "call") {
          const call = Reflect.get(old.tools, each.tool)
          if (typeof call === "function") await call({}).catch(() => {})
        } else {
          const { answer, callId, turn } = await begin(old).catch(() => ({
            answer: undefined,
            callId: undefined,
            turn: undefined,
          }))
          if (turn === undefined) continue
          const usage = { inputTokens: 100, outputTokens: 100 }
          const verdict = await answer({ calls: each.tools.map((name) => ({ tool: name })), usage }).catch(
            () => undefined,
          )
          if (verdict === undefined || !each.tells) continue
          const results = each.tools.map((_, index) => ({
            callId: callId(index),
            output: `{"value":2}`,
            isError: index === 2,
          }))
          await begin(old, { results }).then(
            ({ turn: next }) => next.fail(undefined),
            () => {},
          )
        }
      }
      const again = sessionIn(runtime, folder, () => undefined)
      await again.ready()
      expect(verdicts(again)).toEqual(verdicts(old))
    }),
    { numRuns: 60 },
  )
})
