/** `handrail import [FILE]`: an exported workflow into a store, whole or not at all. */
import { createHash } from "node:crypto"
import { createReadStream, existsSync } from "node:fs"
import type { Readable } from "node:stream"
import { CommandError, type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import { storeOptions, tenantOption } from "../store.ts"

export const importCommand: CommandSpec = {
  name: "import",
  summary: "put an exported workflow into a store",
  about: [
    "Every hash is computed again, every event decoded and folded, before anything is written; then everything is " +
      "written in one piece, and verified as it is stored. An id that exists is refused. The workflow goes on where it " +
      "was: its deadlines run, so stop its agents before, and do not let it live in two stores.",
  ],
  arguments: [{ name: "FILE", describe: "what export wrote (default: standard input)", required: false }],
  options: {
    ...tenantOption,
    ...storeOptions,
    json: { kind: "flag", describe: "print what was imported as JSON" },
  },
  examples: [
    { command: "handrail import pr-42.jsonl --store sqlite:./other.db", what: "from a file" },
    { command: "zcat pr-42.jsonl.gz | handrail import", what: "on the way" },
  ],
  exits: [
    [exitCodes.ok, "imported"],
    [
      exitCodes.found,
      "refused: the file is not whole, or the workflow or one of its sessions exists; nothing was written",
    ],
    [exitCodes.usage, "wrong usage, or there is no such file"],
  ],
  run: async (input, terminal) => {
    const [file] = input.args
    if (file !== undefined && !existsSync(file)) throw new UsageError(`there is no file ${file}`)
    const { chosenStore } = await import("../store.ts")
    const choice = chosenStore(input, terminal, { created: true })
    const { tenantOf } = await import("../ids.ts")
    const { JournalFileReader } = await import("../journalFile.ts")
    const { withJournal } = await import("../journal.ts")
    const { importWorkflow } = await import("../importWorkflow.ts")
    const tenant = tenantOf(input)
    const reader = new JournalFileReader()
    const sum = createHash("sha256")
    for await (const line of linesOf(file === undefined ? process.stdin : createReadStream(file))) {
      reader.line(line, () => sum.copy().digest("hex"))
      sum.update(line).update("\n")
    }
    const append = reader.finish()
    await withJournal(choice, (journal) => importWorkflow(journal, { ...append, tenant }))
    const { workflowId, entries } = append
    if (input.flag("json")) terminal.print(JSON.stringify({ workflow_id: workflowId, events: entries.length }))
    else terminal.print(`${entries.length.toLocaleString("en-US")} events of ${workflowId} imported and verified.`)
    return exitCodes.ok
  },
}

/** By hand: a line may be a megabyte, and the whole must not be more than what can be written in one piece. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  const { importBounds, tooLarge } = await import("../journalFile.ts")
  let parts: Array<Buffer> = []
  let bytes = 0
  try {
    for await (const chunk of stream) {
      let rest: Buffer = chunk
      bytes += rest.length
      if (bytes > importBounds.bytes) throw tooLarge(`more than ${importBounds.bytes} bytes`)
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        yield Buffer.concat([...parts, rest.subarray(0, end)]).toString("utf8")
        parts = []
        rest = rest.subarray(end + 1)
      }
      if (rest.length > 0) parts.push(rest)
    }
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error) || !("syscall" in error)) throw error
    throw new UsageError(`the export can't be read: ${error.message}`)
  }
  if (parts.length > 0) yield Buffer.concat(parts).toString("utf8")
}
