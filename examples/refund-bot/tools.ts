/** What the model is told of its tools. Which of them it may call, and when, is not said here: that is in the contracts. */
import type Anthropic from "@anthropic-ai/sdk"

const tool = (name: string, types: Readonly<Record<string, "string" | "number">>): Anthropic.Tool => ({
  name,
  input_schema: {
    type: "object",
    required: Object.keys(types),
    properties: Object.fromEntries(Object.entries(types).map(([key, type]) => [key, { type }])),
  },
})

export const tools = [
  tool("find_customer", { email: "string" }),
  tool("look_up_order", { order: "string" }),
  tool("refund", { order: "string", amount: "number" }),
  tool("send_gift_card", { amount: "number" }),
]
