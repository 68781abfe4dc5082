/** `handrail export WORKFLOW`: its whole journal as lines of JSON, for another store, or for keeps. */
import { closeSync, openSync, writeSync } from "node:fs"
import { CommandError, type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { storeOptions, tenantOption } from "../store.ts"

export const exportCommand: CommandSpec = {
  name: "export",
  summary: "write a workflow's journal as lines of JSON",
  about: [
    "A header with the definition, every event with its hash, the answers that idempotency keys replay, and a last " +
      "line with the sum of it all. A workflow that goes on while it is exported is exported up to a moment.",
  ],
  arguments: [{ name: "WORKFLOW", describe: "the id of a workflow", required: true }],
  options: {
    output: { kind: "text", short: "o", value: "FILE", describe: "write a new file (default: standard output)" },
    ...tenantOption,
    ...storeOptions,
    json: { kind: "flag", describe: "with --output: print what was written as JSON" },
  },
  examples: [
    { command: "handrail export pr-42 -o pr-42.jsonl", what: "to a file" },
    { command: "handrail export pr-42 | gzip > pr-42.jsonl.gz", what: "on the way" },
    {
      command: "handrail export pr-42 | handrail import --store sqlite:./other.db",
      what: "into another store",
    },
  ],
  exits: [
    [exitCodes.ok, "written"],
    [exitCodes.found, "there is no such workflow, its hash chain is broken, or the file exists"],
    [exitCodes.usage, "wrong usage, or there is no such store"],
  ],
  run: async (input, terminal) => {
    const { chosenStore } = await import("../store.ts")
    const choice = chosenStore(input, terminal)
    const { tenantOf, workflowIdOf } = await import("../ids.ts")
    const { withJournal } = await import("../journal.ts")
    const { exportWorkflow } = await import("../exportWorkflow.ts")
    const source = { tenant: tenantOf(input), workflowId: workflowIdOf(input.arg(0)) }
    const output = input.text("output")
    const file = output === undefined ? undefined : create(output)
    try {
      const write = (line: string): void => {
        if (file === undefined) terminal.print(line)
        else writeSync(file, `${line}\n`)
      }
      const { events, hash } = await withJournal(choice, (journal) =>
        exportWorkflow(journal, source, write, Date.now()),
      )
      if (output === undefined) return exitCodes.ok
      if (input.flag("json")) terminal.print(JSON.stringify({ file: output, events, hash }))
      else terminal.print(`${events.toLocaleString("en-US")} events of ${source.workflowId} in ${output}.`)
    } finally {
      if (file !== undefined) closeSync(file)
    }
    return exitCodes.ok
  },
}

/** Never over something. */
const create = (path: string): number => {
  try {
    return openSync(path, "wx")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST")
      throw new CommandError("file_exists", `${path} exists already.`, "Name another file.")
    throw new UsageError(`${path} can't be written: ${error instanceof Error ? error.message : String(error)}`)
  }
}
