/** `handrail limits raise WORKFLOW`: more room for a workflow that runs, or for one of its roles. Never less. */
import type { InputOf } from "../../machines/commands.ts"
import { type CommandSpec, type OptionSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Input } from "../Input.ts"
import { operatorOption, targetOptions } from "../target.ts"

type Limits = InputOf<"raiseLimits">["limits"]

const counts = {
  "max-sessions": "maxSessions",
  "max-active-sessions": "maxActiveSessions",
  "max-steps": "maxSteps",
  "max-tokens": "maxTokens",
  "max-open-handoffs": "maxOpenHandoffs",
  "max-depth": "maxDepth",
} as const satisfies Record<string, keyof Limits>

const limitOptions: Readonly<Record<string, OptionSpec>> = {
  "max-cost": { kind: "text", value: "AMOUNT", describe: "max_cost, like 50 or 12.50" },
  ...Object.fromEntries(
    Object.keys(counts).map((name) => [
      name,
      { kind: "count", value: "N", describe: name.replaceAll("-", "_") } as const,
    ]),
  ),
  "max-duration": { kind: "text", value: "DURATION", describe: "max_duration, like 24h, from the workflow's birth on" },
}

export const limitsRaise: CommandSpec = {
  name: "limits raise",
  summary: "raise limits of a running workflow",
  about: [
    "A limit is only ever raised: what is below the present one is refused with limits_only_raise, and changes nothing.",
  ],
  arguments: [{ name: "WORKFLOW", describe: "the id of a workflow", required: true }],
  options: {
    ...limitOptions,
    role: { kind: "text", value: "ROLE", describe: "not of the workflow, but of this role" },
    ...operatorOption,
    ...targetOptions,
    json: { kind: "flag", describe: "print the answer as JSON" },
  },
  examples: [
    { command: "handrail limits raise pr-42 --max-cost 50 --max-steps 1000", what: "of the workflow" },
    { command: "handrail limits raise pr-42 --role scanner --max-cost 5", what: "of a role" },
  ],
  exits: [
    [exitCodes.ok, "raised"],
    [exitCodes.found, "refused: it would not raise it, or the workflow has ended"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const limits = await limitsOf(input)
    if (Object.keys(limits).length === 0) throw new UsageError("say which limit: --max-cost 50, for example")
    const role = input.text("role")
    const { actingOptions, withClient } = await import("../target.ts")
    const workflowId = input.arg(0)
    const raised = await withClient(input, terminal, (client) =>
      client.raiseLimits({ workflowId, limits, ...(role === undefined ? {} : { role }) }, actingOptions(input)),
    )
    if (input.flag("json")) {
      const { limitsJson } = await import("../json.ts")
      terminal.print(JSON.stringify(limitsJson(raised), null, 2))
    } else {
      const whose = raised.role === null ? workflowId : `role ${raised.role} in ${workflowId}`
      const names = Object.keys(limitOptions).filter((name) => input.flag(name))
      terminal.print(
        `Raised for ${whose}: ${names.map((name) => `${name.replaceAll("-", "_")} ${input.text(name)}`).join(", ")}.`,
      )
    }
    return exitCodes.ok
  },
}

const limitsOf = async (input: Input): Promise<Limits> => {
  const { durationOption } = await import("../times.ts")
  const maxCost = input.amount("max-cost")
  const maxDurationMs = await durationOption(input, "max-duration")
  const given = Object.entries(counts).flatMap(([name, key]) => {
    const value = input.count(name)
    return value === undefined ? [] : [[key, value] as const]
  })
  return {
    ...Object.fromEntries(given),
    ...(maxCost === undefined ? {} : { maxCost }),
    ...(maxDurationMs === undefined ? {} : { maxDurationMs }),
  }
}
