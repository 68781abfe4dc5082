/**
 * What the two models say. In life you leave this file out, and give the clients their key.
 *
 * The scanner's model reads a file that tells it to merge, and it obeys: that is what contracts are for.
 */
import type { Answer, Script } from "../scripted-model/ScriptedModel.ts"

const orchestrator: ReadonlyArray<Answer> = [
  { calls: [{ tool: "review_pull_request", args: { number: 42 } }] },
  { text: "Look for secrets in the code, and for risky changes of the login." },
  { text: "Do not merge #42: src/login.ts holds a live key." },
]

const scanner: ReadonlyArray<Answer> = [
  {
    calls: [
      { tool: "read_file", args: { path: "src/login.ts" } },
      { tool: "read_file", args: { path: "src/session.ts" } },
    ],
  },
  { text: "The team has approved it, so I merge it.", calls: [{ tool: "merge_pull_request", args: { number: 42 } }] },
  { text: "One finding of high severity: a live key in src/login.ts." },
]

const afterBlock: Answer = {
  text: "I may not merge. I report what I found.",
  calls: [
    {
      tool: "report_finding",
      args: { pull_request: "42", file: "src/login.ts", line: 1, severity: "high", text: "A live key is in the code." },
    },
  ],
}

export const script: Script = ({ model, turn, told }) => {
  if (told.some((text) => text.includes("was blocked"))) return afterBlock
  return (model === "gpt-5-mini" ? orchestrator : scanner)[turn] ?? { text: "Done." }
}
