/**
 * A real OpenAI client over a fetch that answers at once, bare and under a session: what lies between the two is what the
 * wrapper costs, without network or model.
 */
import { join } from "node:path"
import { Handrail, replay } from "handrail"
import OpenAI from "openai"
import type { Wrapped } from "./subject.ts"

const completion = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1_760_000_000,
  model: "gpt-5-mini",
  choices: [
    {
      index: 0,
      finish_reason: "tool_calls",
      logprobs: null,
      message: {
        role: "assistant",
        content: null,
        refusal: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: '{"at":"home"}' } }],
      },
    },
  ],
  usage: { prompt_tokens: 120, completion_tokens: 10, total_tokens: 130 },
})

const contracts = {
  "session.yaml": `schema_version: "1.0"
agent: lead
phases: [{ name: look, initial: true }, { name: done, terminal: true }]
transitions: { look: [done] }
session_limits: { max_tool_calls: 1000000000 }
`,
  "look.yaml": `tool: look
side_effect: read
cost: { estimate: 0.0001 }
transitions: { valid_in_phases: [look] }
argument_value_invariants: [{ path: $.at, type: string, length_lte: 100 }]
`,
}

const workflowYaml = `schema_version: "1.0"
workflow: bench
roles: [{ name: lead, session_contract: ./lead/session.yaml }]
limits: { max_cost: 1000000000, max_steps: 1000000000 }
`
const files = Object.fromEntries(Object.entries(contracts).map(([name, text]) => [`lead/${name}`, text]))

const body: OpenAI.ChatCompletionCreateParamsNonStreaming = {
  model: "gpt-5-mini",
  max_completion_tokens: 100,
  messages: [
    { role: "system", content: "You look at things and say what you see. ".repeat(10) },
    { role: "user", content: "Look at home." },
  ],
  tools: [
    {
      type: "function",
      function: {
        name: "look",
        description: "Looks at something",
        parameters: { type: "object", properties: { at: { type: "string" } }, required: ["at"] },
      },
    },
  ],
}

export const wrap = async (dir: string | undefined): Promise<Wrapped> => {
  const headers = { "content-type": "application/json" }
  const client = new OpenAI({ apiKey: "none", fetch: async () => new Response(completion, { headers }) })
  const tools = { look: () => "a house" }
  if (dir === undefined) {
    const session = replay(client, { agent: "lead", contracts, tools })
    return wrapped(client, session, () => session.close())
  }
  const runtime = await Handrail.open({ store: `sqlite:${join(dir, "sdk.db")}` })
  const definition = { workflowYaml, files }
  const session = replay(client, {
    agent: "lead",
    contracts,
    tools,
    runtime,
    prices: { "*": { input: 1, output: 4 } },
    workflow: { type: "root", workflowId: "wf", role: "lead", definition },
  })
  await session.ready()
  return wrapped(client, session, async () => {
    await session.close()
    await runtime.close()
  })
}

interface Governed {
  readonly client: OpenAI
  runTools(answer: OpenAI.ChatCompletion): Promise<unknown>
}

const wrapped = (client: OpenAI, session: Governed, close: () => Promise<void>): Wrapped => ({
  bare: async () => {
    await client.chat.completions.create(body)
  },
  governed: async () => {
    const answer = await session.client.chat.completions.create(body)
    return () => session.runTools(answer)
  },
  close,
})
