/** What `approvals approve` and `approvals reject` share: which step is meant, and how what became of it is shown. */
import type { StepDecided } from "../machines/answers.ts"
import type { ArgumentSpec, OptionSpec } from "./Command.ts"
import { exitCodes } from "./exitCodes.ts"
import type { Input } from "./Input.ts"
import type { Terminal } from "./Terminal.ts"
import { operatorOption, targetOptions } from "./target.ts"

export const approvalArguments: ReadonlyArray<ArgumentSpec> = [
  { name: "WORKFLOW", describe: "the id of a workflow", required: true },
  { name: "STEP", describe: "the id of a step, as approvals list shows it", required: true },
]

export const approvalOptions: Readonly<Record<string, OptionSpec>> = {
  reason: { kind: "text", value: "TEXT", describe: "why, for the journal" },
  ...operatorOption,
  ...targetOptions,
  json: { kind: "flag", describe: "print the step as JSON" },
}

export const approvalInput = (input: Input) => {
  const reason = input.text("reason")
  return { workflowId: input.arg(0), stepId: input.arg(1), ...(reason === undefined ? {} : { reason }) }
}

export const showDecision = async (step: StepDecided, input: Input, terminal: Terminal): Promise<number> => {
  if (input.flag("json")) {
    const { decisionJson } = await import("./json.ts")
    terminal.print(JSON.stringify(decisionJson(step), null, 2))
    return exitCodes.ok
  }
  const { paintStatus } = await import("./workflowText.ts")
  terminal.print(`${step.stepId} is ${paintStatus(step.status, terminal)}.`)
  return exitCodes.ok
}
