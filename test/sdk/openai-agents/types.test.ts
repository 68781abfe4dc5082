/** A governed tool keeps its types. */
import { type Model, tool } from "@openai/agents"
import { expectTypeOf, test } from "vitest"
import { z } from "zod"
import type { ReplaySession, Tools } from "../../../src/index.ts"
import { durableHandoff, governedModel, governedTool } from "../../../src/openai-agents.ts"

const parameters = z.object({ city: z.string() })

test("its input is what its parameters say, and it is taken by tool", () => {
  const make = (session: ReplaySession<Tools, object>) =>
    tool(
      governedTool(session, {
        name: "weather",
        description: "",
        parameters,
        execute: ({ city }, _context, details) => {
          expectTypeOf(city).toBeString()
          expectTypeOf(details?.signal).toEqualTypeOf<AbortSignal | undefined>()
          return city
        },
      }),
    )
  expectTypeOf(make).returns.toEqualTypeOf<ReturnType<typeof tool<typeof parameters>>>()
})

test("a governed model is a model, and a handoff's session is the one that was made for it", () => {
  expectTypeOf(governedModel).returns.toExtend<Model>()
  const offer = (session: ReplaySession, child: ReplaySession<{ deploy: () => 1 }, null>) =>
    durableHandoff(session, {
      toRole: "worker",
      here: { session: () => child, run: async ({ tools }) => tools.deploy() },
    })
  expectTypeOf(offer).returns.toBeFunction()
})
