/** A code scanner: it claims the handoff, lets its model work with governed tools, and completes with what was found. */
import { appendFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Anthropic from "@anthropic-ai/sdk"
import { type Client, replay, WorkflowError } from "handrail"
import { prices } from "./prices.ts"
import { fileAt } from "./pullRequest.ts"

export interface Scan {
  /** Two scanners may try: each has an id of its own. */
  readonly sessionId: string
  readonly parentSessionId: string
  readonly workflowId: string
  readonly handoffId: string
  readonly runtime: Client
  readonly modelUrl: string
  /** Where it writes. */
  readonly folder: string
}

interface Finding {
  readonly pull_request: string
  readonly file: string
  readonly line: number
  readonly severity: "low" | "high"
  readonly text: string
}

export const scan = async ({ sessionId, runtime, modelUrl, folder, ...from }: Scan): Promise<void> => {
  const say = (text: string): void => console.log(`${sessionId}: ${text}`)
  const findings: Array<Finding> = []
  await using session = replay(new Anthropic({ apiKey: "none", baseURL: modelUrl }), {
    agent: sessionId,
    contractsDir: join(import.meta.dirname, "governance/code-scanner"),
    tools: {
      read_file: ({ path }: { path: string }) => fileAt(path),
      report_finding: (finding: Finding) => {
        appendFileSync(join(folder, "findings.jsonl"), `${JSON.stringify(finding)}\n`)
        findings.push(finding)
      },
      // The program can merge, the role can't: it has no contract for it.
      merge_pull_request: ({ number }: { number: number }) => writeFileSync(join(folder, "merged.txt"), `#${number}`),
    },
    workflow: { type: "child", role: "code-scanner", ...from },
    runtime,
    sessionId,
    prices,
    // An answer with a blocked call goes back to the model with the reasons, twice at most.
    maxRetries: 2,
    onDecision: ({ calls }) => {
      for (const { tool, verdict, failures } of calls)
        say(`${tool} → ${verdict}${failures[0] === undefined ? "" : ` (${failures[0].code})`}`)
    },
  })
  try {
    await session.ready()
  } catch (error) {
    if (!(error instanceof WorkflowError) || error.code !== "handoff_already_claimed") throw error
    say(`refused: ${error.code}`)
    return
  }
  const messages: Array<Anthropic.MessageParam> = [
    { role: "user", content: JSON.stringify(session.handedOver?.summary) },
  ]
  for (;;) {
    const answer = await session.client.messages.create({
      model: "claude-opus-5",
      max_tokens: 500,
      messages,
      tools: [
        tool("read_file", ["path"]),
        tool("report_finding", ["pull_request", "file", "line", "severity", "text"]),
        tool("merge_pull_request", ["number"]),
      ],
    })
    const results = await session.runTools(answer)
    if (results.length === 0) break
    messages.push({ role: "assistant", content: answer.content }, ...results)
  }
  await session.complete({ findings })
}

const tool = (name: string, required: Array<string>): Anthropic.Tool => ({
  name,
  input_schema: { type: "object", required, properties: Object.fromEntries(required.map((key) => [key, {}])) },
})
