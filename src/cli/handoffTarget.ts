/** What the `handoffs` commands share: which handoff is meant, and how what became of it is shown. */
import type { HandoffChanged } from "../machines/answers.ts"
import { type ArgumentSpec, type OptionSpec, UsageError } from "./Command.ts"
import { exitCodes } from "./exitCodes.ts"
import type { Input } from "./Input.ts"
import type { Terminal } from "./Terminal.ts"
import { operatorOption, targetOptions } from "./target.ts"

export const handoffArguments: ReadonlyArray<ArgumentSpec> = [
  { name: "WORKFLOW", describe: "the id of a workflow", required: true },
  { name: "HANDOFF", describe: "the id of a handoff in it", required: true },
]

export const aboutHandoffOptions: Readonly<Record<string, OptionSpec>> = {
  generation: { kind: "count", value: "N", describe: "refuse where the handoff is at another try by now" },
  reason: { kind: "text", value: "TEXT", describe: "why, for the journal" },
  ...operatorOption,
  ...targetOptions,
  json: { kind: "flag", describe: "print the handoff as JSON" },
}

export const handoffInput = (input: Input) => {
  const generation = input.count("generation")
  if (generation === 0) throw new UsageError("--generation is 1 or more")
  const reason = input.text("reason")
  return {
    workflowId: input.arg(0),
    handoffId: input.arg(1),
    ...(generation === undefined ? {} : { generation }),
    ...(reason === undefined ? {} : { reason }),
  }
}

export const showHandoff = async (changed: HandoffChanged, input: Input, terminal: Terminal): Promise<number> => {
  if (input.flag("json")) {
    const { handoffJson } = await import("./json.ts")
    terminal.print(JSON.stringify(handoffJson(changed), null, 2))
    return exitCodes.ok
  }
  const { paintStatus } = await import("./workflowText.ts")
  const { handoffId, status, generation } = changed
  terminal.print(`${handoffId} is ${paintStatus(status, terminal)}, try ${generation}.`)
  return exitCodes.ok
}
