/** What reaches the tools is exactly what a plain reading of the contracts allows, over random contracts and answers. */
import fc from "fast-check"
import { beforeAll, expect, test, vi } from "vitest"
import { stringify } from "yaml"
import { ReplayContractError, ReplayKillError, replay, ToolAborted } from "../../../src/index.ts"
import { loadContracts } from "../../../src/sdk/files/contracts.ts"
import type { Gate } from "../../../src/sdk/options.ts"
import { call, contracts, toolNames } from "../../machines/contracts/arbitraries.ts"
import { type ContractsJson, type Entry, plainTrip, plainVerdicts } from "../../machines/contracts/plainReading.ts"
import { errorOf } from "../fixtures.ts"
import { ask, begin } from "./model.ts"

const texts = ({ session, tools }: ContractsJson): Record<string, string> =>
  Object.fromEntries([
    ["session.yaml", stringify({ schema_version: "1.0", agent: "agent", ...session })],
    ...tools.map(({ estimate, ...rest }) => [
      `${rest.tool}.yaml`,
      stringify({ ...rest, ...(estimate === null ? {} : { cost: { estimate: estimate / 1e6 } }) }),
    ]),
  ])

/** Contracts that the compiler takes: it refuses tests that nothing can pass. */
const compiling = contracts.filter((json) => {
  try {
    loadContracts({ contracts: texts(json) })
    return true
  } catch {
    return false
  }
})

const ending = fc.oneof(
  { weight: 6, arbitrary: fc.record({ as: fc.constant("returned"), value: fc.jsonValue({ maxDepth: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ as: fc.constantFrom("aborted", "threw"), value: fc.constant(null) }) },
)
const answers = fc.array(fc.array(fc.tuple(call, ending), { minLength: 1, maxLength: 4 }), { maxLength: 8 })
const options = { unmatched: "block", checkpoints: "unavailable" } as const
const reads = (json: ContractsJson, tool: string): boolean =>
  json.tools.find((each) => each.tool === tool)?.side_effect === "read"

// Random contracts are full of rules that a compiler warns of.
beforeAll(() => {
  vi.spyOn(process, "emitWarning").mockImplementation(() => {})
})

test("exactly the calls that a plain reading allows reach their tools, whatever the gate", async () => {
  let ran = 0
  let stopped = 0
  const gates = fc.constantFrom<Gate>("reject_all", "strip_partial", "strip_blocked")
  await fc.assert(
    fc.asyncProperty(compiling, gates, answers, async (random, gate, turns) => {
      const json = { ...random, defaultCost: null }
      const seen: Array<readonly [string, unknown]> = []
      let next: { as: string; value: unknown } = { as: "returned", value: null }
      const tool = (name: string) => (args: unknown) => {
        seen.push([name, args])
        if (next.as === "aborted") throw new ToolAborted("nothing was done")
        if (next.as === "threw") throw new Error("it broke")
        return next.value
      }
      const session = replay(null, {
        agent: "agent",
        contracts: texts(json),
        gate,
        prices: { "*": { input: 0, output: 0 } },
        tools: Object.fromEntries(toolNames.map((name) => [name, tool(name)])),
      })
      const history: Array<Entry> = []
      for (const [index, turn] of turns.entries()) {
        const calls = turn.map(([{ tool, args }]) => ({ tool, args: args ?? null, estimate: undefined }))
        const failures = plainVerdicts(json, history, calls, options)
        const blocked = failures.filter((each) => each.length > 0).length
        const kept = calls.filter((_, at) => failures[at]?.length === 0)
        const isRejected = blocked > 0 && (gate === "reject_all" || (gate === "strip_partial" && kept.length === 0))
        const narrowed = new Set(toolNames.filter((name) => !session.allowedTools([name]).includes(name)))
        const { turn: offered, answer, callId } = await begin(session, { tools: toolNames })
        expect(offered.removed).toEqual(narrowed)
        const verdict = await answer({ calls, usage: { inputTokens: 1, outputTokens: 1 } }).catch(
          (error: unknown) => error,
        )
        calls.forEach(({ tool, args }, at) => {
          // Narrowing and validation agree: no call of a tool that was not offered is allowed.
          if (narrowed.has(tool)) expect(failures[at]).not.toEqual([])
          history.push({ what: "judged", tool, args, allowed: failures[at]?.length === 0 })
        })
        if (plainTrip(json, history) !== undefined) {
          expect(verdict).toBeInstanceOf(ReplayKillError)
          expect(await errorOf(session.tools[toolNames[0] ?? ""]?.({}) ?? Promise.resolve())).toBeInstanceOf(
            ReplayKillError,
          )
          stopped += 1
          break
        }
        if (isRejected) {
          expect(verdict).toBeInstanceOf(ReplayContractError)
          if (verdict instanceof ReplayContractError)
            expect(verdict.failures.map(({ code, path, operator }) => `${code} ${path} ${operator}`)).toEqual(
              failures.flat(),
            )
          continue
        }
        expect((verdict as { removed: ReadonlyMap<string, string> }).removed.size).toBe(blocked)
        calls.forEach(({ tool }, at) => {
          if (failures[at]?.length === 0) history.push({ what: "admitted", id: callId(at), tool, estimate: undefined })
        })
        seen.length = 0
        for (const [at, [, end]] of turn.entries()) {
          const asked = calls[at]
          if (asked === undefined || failures[at]?.length !== 0) continue
          next = end
          await session.tools[asked.tool]?.(asked.args).catch(() => {})
          const id = callId(at)
          if (end.as === "returned")
            history.push({ what: "committed", id, output: end.value ?? undefined, actual: undefined })
          else
            history.push({
              what: end.as === "aborted" || reads(json, asked.tool) ? "aborted" : "unknown",
              id,
              threw: true,
            })
          if (plainTrip(json, history) !== undefined) break
        }
        ran += seen.length
        if (plainTrip(json, history) !== undefined) break
        expect(seen, `turn ${index}`).toEqual(kept.map(({ tool, args }) => [tool, args]))
      }
      await session.close()
    }),
    { numRuns: 150 },
  )
  // Or nothing was tested.
  expect(ran).toBeGreaterThan(20)
  expect(stopped).toBeGreaterThan(0)
})

test("a call that the model wrote no JSON for is blocked, and an empty one is an empty object", async () => {
  const seen: Array<unknown> = []
  const session = replay(null, {
    agent: "agent",
    contracts: {
      "session.yaml": `schema_version: "1.0"\nagent: agent\n`,
      "look.yaml": "tool: look\nside_effect: read\n",
    },
    tools: { look: (args: unknown) => seen.push(args) },
  })
  expect(await errorOf(ask(session, { calls: [{ tool: "look", text: `{"path": ` }] }))).toMatchObject({
    failures: [{ tool: "look", path: "$", code: "invalid_arguments" }],
  })
  await ask(session, { calls: [{ tool: "look", text: "" }] })
  await session.tools.look({})
  expect(seen).toEqual([{}])
  expect(session.decisions.map(({ provider, outcome }) => [provider, outcome])).toEqual([
    ["test", "rejected"],
    ["test", "passed"],
  ])
})
