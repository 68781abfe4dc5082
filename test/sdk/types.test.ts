/** The governed tools have the types of the given ones, without the context. */
import { expectTypeOf, test } from "vitest"
import type { GovernedTools, HandoffOutcome, ReplayOptions, ReplaySession, ToolContext } from "../../src/index.ts"
import { replay } from "../../src/index.ts"

const tools = {
  scan: (args: { diff: string }) => ({ findings: args.diff.length }),
  write: async (args: { path: string; text?: string }, context: ToolContext): Promise<number> =>
    context.fences.length + args.path.length,
  ping: () => "pong" as const,
  maybe: (_?: { verbose: boolean }) => {},
  contextual: (_: string, { signal, stepId, fences, settle }: ToolContext) => ({ signal, stepId, fences, settle }),
}

test("arguments and results are those of the tools, and each call is a promise", () => {
  type Governed = GovernedTools<typeof tools>
  expectTypeOf<Governed["scan"]>().toEqualTypeOf<(args: { diff: string }) => Promise<{ findings: number }>>()
  expectTypeOf<Governed["write"]>().toEqualTypeOf<(args: { path: string; text?: string }) => Promise<number>>()
  expectTypeOf<Governed["ping"]>().toEqualTypeOf<() => Promise<"pong">>()
  expectTypeOf<Governed["maybe"]>().parameters.toEqualTypeOf<[args?: { verbose: boolean } | undefined]>()
  expectTypeOf<Governed["contextual"]>().parameters.toEqualTypeOf<[args: string]>()
  expectTypeOf<keyof Governed>().toEqualTypeOf<keyof typeof tools>()
})

test("replay infers them from its options", () => {
  const call = (options: ReplayOptions) => replay(null, { ...options, tools })
  expectTypeOf(call).returns.toEqualTypeOf<ReplaySession<typeof tools, null>>()
  expectTypeOf<ReplaySession<typeof tools>["tools"]["scan"]>().returns.resolves.toEqualTypeOf<{ findings: number }>()
  expectTypeOf<ReplaySession["client"]>().toBeNull()
})

test("a tool that is written in place knows its context", () => {
  const infer = (options: Omit<ReplayOptions, "tools">) =>
    replay(null, {
      ...options,
      tools: {
        inline: (args: { n: number }, context) => {
          expectTypeOf(context).toEqualTypeOf<ToolContext>()
          return args.n
        },
      },
    })
  expectTypeOf<ReturnType<typeof infer>["tools"]["inline"]>().toEqualTypeOf<(args: { n: number }) => Promise<number>>()
})

test("an ended handoff is none that is open", () => {
  expectTypeOf<HandoffOutcome["status"]>().toEqualTypeOf<"completed" | "failed" | "withdrawn" | "expired" | "killed">()
})
