/** `handrail kill WORKFLOW`: shows what will die, asks, and prints the kill receipt. */
import type { KillReceipt } from "../../machines/answers.ts"
import type { InputOf } from "../../machines/commands.ts"

import { type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Input } from "../Input.ts"
import type { Terminal } from "../Terminal.ts"
import { operatorOption, targetOptions } from "../target.ts"

const scopes = ["session", "subtree", "workflow"] as const
type Scope = (typeof scopes)[number]

export const kill: CommandSpec = {
  name: "kill",
  summary: "kill a workflow, a subtree or a session, for good",
  about: [
    "Shows what will die and asks. In one journal event everything in the scope ends: no write of a dead session is " +
      "accepted after it. Steps that were running are orphans until somebody has looked (handrail resolve); the " +
      "receipt lists them.",
    "Without a person to ask, nothing is killed unless --yes is given.",
  ],
  arguments: [{ name: "WORKFLOW", describe: "the id of a workflow", required: true }],
  options: {
    session: { kind: "text", value: "ID", describe: "not the workflow, but this session and all beneath it" },
    scope: {
      kind: "text",
      value: "SCOPE",
      describe: "what dies: workflow (the default), subtree (the default with --session) or session, which is it alone",
      choices: scopes,
    },
    reason: { kind: "text", value: "TEXT", describe: "why, for the journal and for the agents" },
    yes: { kind: "flag", short: "y", describe: "do not ask" },
    ...operatorOption,
    ...targetOptions,
    json: { kind: "flag", describe: "print the receipt as JSON" },
  },
  examples: [
    { command: 'handrail kill pr-42 --reason "the pull request was closed"', what: "all of it" },
    { command: "handrail kill pr-42 --session pr-42-scan", what: "a session and its descendants" },
    { command: "handrail kill pr-42 --yes --json", what: "in a script" },
  ],
  exits: [
    [exitCodes.ok, "killed; also where it was killed before: the receipt is that of then"],
    [exitCodes.found, "refused, or you did not say yes: nothing was killed"],
    [exitCodes.usage, "wrong usage, or there is nobody to ask and no --yes"],
  ],
  run: async (input, terminal) => {
    const command = commandOf(input)
    if (!input.flag("yes") && !terminal.canAsk)
      throw new UsageError("there is nobody to ask whether to kill: look with handrail workflows show, then give --yes")
    const { actingOptions, withClient } = await import("../target.ts")
    const receipt = await withClient(input, terminal, async (client) => {
      if (!input.flag("yes")) {
        const view = await client.getWorkflow(input.arg(0))
        const { doomedLines } = await import("../killText.ts")
        for (const line of doomedLines(view, command, terminal)) terminal.tell(line)
        const answer = await terminal.ask("Kill this for good? Type yes: ")
        if (answer.toLowerCase() !== "yes") return undefined
      }
      return client.kill(command, { ...actingOptions(input), workflowId: input.arg(0) })
    })
    if (receipt === undefined) {
      terminal.tell("Nothing was killed.")
      return exitCodes.found
    }
    await show(receipt, input, terminal)
    return exitCodes.ok
  },
}

const show = async (receipt: KillReceipt, input: Input, terminal: Terminal): Promise<void> => {
  if (input.flag("json")) {
    const { killJson } = await import("../json.ts")
    terminal.print(JSON.stringify(killJson(receipt), null, 2))
    return
  }
  const { receiptLines } = await import("../killText.ts")
  terminal.print(receiptLines(receipt, terminal).join("\n"))
}

const commandOf = (input: Input): InputOf<"kill"> & { readonly workflowId: string } => {
  const sessionId = input.text("session")
  const scope: Scope = input.choice("scope", scopes) ?? (sessionId === undefined ? "workflow" : "subtree")
  if (scope === "workflow" && sessionId !== undefined)
    throw new UsageError("--scope workflow and --session exclude each other")
  if (scope !== "workflow" && sessionId === undefined) throw new UsageError(`--scope ${scope} needs --session ID`)
  const reason = input.text("reason") ?? "killed with handrail kill"
  return { workflowId: input.arg(0), scope, reason, ...(sessionId === undefined ? {} : { sessionId }) }
}
