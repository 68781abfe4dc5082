/** What the model is told of its tools. That one of them takes a person's approval, it need not know. */
import type OpenAI from "openai"

const tool = (name: string, required: ReadonlyArray<string>): OpenAI.Responses.FunctionTool => ({
  type: "function",
  name,
  strict: false,
  parameters: {
    type: "object",
    required,
    properties: Object.fromEntries(required.map((key) => [key, { type: "string" }])),
  },
})

export const tools = [tool("run_tests", ["branch"]), tool("deploy", ["environment", "version"])]
