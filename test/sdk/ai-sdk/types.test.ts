/** Governed tools keep their types, and so does what is made of them. */
import { generateText, type LanguageModel, tool } from "ai"
import { expectTypeOf, test } from "vitest"
import { z } from "zod"
import { governedModel, governedTools, type handrailMiddleware } from "../../../src/ai-sdk.ts"
import type { ReplaySession, Tools } from "../../../src/index.ts"

const plain = {
  scan: tool({ inputSchema: z.object({ diff: z.string() }), execute: ({ diff }) => ({ findings: diff.length }) }),
  ask: tool({ inputSchema: z.object({ question: z.string() }) }),
}

test("the tools are those that were given, and give generateText its types", () => {
  const govern = (session: ReplaySession<Tools, object>) => governedTools(session, plain)
  expectTypeOf(govern).returns.toEqualTypeOf<typeof plain>()
  const run = async (session: ReplaySession, model: LanguageModel) => {
    const { scan } = governedTools(session, plain)
    const { staticToolResults } = await generateText({ model, tools: { scan }, prompt: "" })
    return staticToolResults
  }
  type Result = Awaited<ReturnType<typeof run>>[number]
  expectTypeOf<Result["input"]>().toEqualTypeOf<{ diff: string }>()
  expectTypeOf<Result["output"]>().toEqualTypeOf<{ findings: number }>()
})

test("a governed model is a model, with any session", () => {
  expectTypeOf(governedModel).returns.toExtend<LanguageModel>()
  expectTypeOf<ReplaySession<typeof plainTools, { a: 1 }>>().toExtend<Parameters<typeof handrailMiddleware>[0]>()
})

const plainTools = { look: () => 1 }
