/** `handrail resolve WORKFLOW STEP`: a person has looked, and says what became of a step. */
import { type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { operatorOption, targetOptions } from "../target.ts"

const outcomes = ["committed", "aborted"] as const

export const resolve: CommandSpec = {
  name: "resolve",
  summary: "say what became of a step whose outcome is unknown",
  about: [
    "For a step whose session died, or whose agent does not know. Look first at the system that the step changes: " +
      "committed means that it had its effect, aborted that it certainly had none. What it holds, and what it " +
      "reserved, is free afterwards.",
  ],
  arguments: [
    { name: "WORKFLOW", describe: "the id of a workflow", required: true },
    { name: "STEP", describe: "the id of a step, as workflows show lists it", required: true },
  ],
  options: {
    outcome: { kind: "text", value: "OUTCOME", describe: `${outcomes.join(" or ")}; required`, choices: outcomes },
    cost: { kind: "text", value: "AMOUNT", describe: "committed: what it really cost (default: its estimate)" },
    tokens: { kind: "count", value: "N", describe: "committed: the tokens that it really used" },
    reason: { kind: "text", value: "TEXT", describe: "how you know, for the journal; required" },
    ...operatorOption,
    ...targetOptions,
    json: { kind: "flag", describe: "print the step as JSON" },
  },
  examples: [
    {
      command: 'handrail resolve pr-42 st_1 --outcome committed --reason "the comment is there"',
      what: "it had its effect",
    },
    { command: 'handrail resolve pr-42 st_1 --outcome aborted --reason "no trace in the log"', what: "it had none" },
  ],
  exits: [
    [exitCodes.ok, "resolved, or it was resolved like that before"],
    [exitCodes.found, "refused: there is no such step, or it was resolved otherwise"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const outcome = input.choice("outcome", outcomes)
    const reason = input.text("reason")
    if (outcome === undefined) throw new UsageError(`say what became of it: --outcome ${outcomes.join("|")}`)
    if (reason === undefined) throw new UsageError("say how you know: --reason TEXT")
    const actualCost = input.amount("cost")
    const actualTokens = input.count("tokens")
    const { actingOptions, withClient } = await import("../target.ts")
    const step = await withClient(input, terminal, (client) =>
      client.resolveStep(
        {
          workflowId: input.arg(0),
          stepId: input.arg(1),
          outcome,
          reason,
          ...(actualCost === undefined ? {} : { actualCost }),
          ...(actualTokens === undefined ? {} : { actualTokens }),
        },
        actingOptions(input),
      ),
    )
    if (input.flag("json")) {
      const { stepJson } = await import("../json.ts")
      terminal.print(JSON.stringify(stepJson(step), null, 2))
    } else terminal.print(`${step.stepId} is ${step.status}.`)
    return exitCodes.ok
  },
}
