/** `handrail init [DIR]`: a governance folder to start from. It never overwrites anything. */
import { lstatSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { CommandError, type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"

const defaultDirectory = "governance"

export const init: CommandSpec = {
  name: "init",
  summary: "write a commented governance folder to start from",
  about: [
    "Two roles, an edge between them, a shared resource, limits, and a contract for a tool of each role: it compiles, and " +
      "simulating it finds no danger. Where one of its files exists already, nothing is written.",
  ],
  arguments: [{ name: "DIR", describe: `where to (default ${defaultDirectory})`, required: false }],
  options: { json: { kind: "flag", describe: "print what was written as JSON" } },
  examples: [
    { command: "handrail init", what: "in ./governance" },
    { command: "handrail init team/governance && handrail check team/governance", what: "elsewhere, and look at it" },
  ],
  exits: [
    [exitCodes.ok, "written"],
    [exitCodes.found, "something is there already; nothing was written"],
    [exitCodes.usage, "wrong usage, or the directory can't be written"],
  ],
  run: async (input, terminal) => {
    const { governanceFiles } = await import("../governanceFiles.ts")
    const directory = input.args[0] ?? defaultDirectory
    const files = Object.entries(governanceFiles).map(([name, text]) => ({ path: join(directory, name), text }))
    const there = files.filter(({ path }) => exists(path)).map(({ path }) => path)
    if (there.length > 0)
      throw new CommandError(
        "file_exists",
        `${there.join(", ")} ${there.length === 1 ? "exists" : "exist"} already, so nothing was written.`,
        "Name another directory.",
      )
    for (const { path, text } of files) write(path, text)
    if (input.flag("json")) terminal.print(JSON.stringify({ files: files.map(({ path }) => path) }, null, 2))
    else {
      for (const { path } of files) terminal.print(`${terminal.paint("green", "wrote")} ${path}`)
      const place = relative(".", directory) || "."
      terminal.print(`\nNext: handrail check ${place}, then handrail simulate ${place}.`)
    }
    return exitCodes.ok
  },
}

/** A link that leads nowhere is there too: writing through it would write somewhere else. */
const exists = (path: string): boolean => {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    throw unwritable(path, error)
  }
}

const write = (path: string, text: string): void => {
  try {
    mkdirSync(dirname(path), { recursive: true })
    // Fails where somebody was faster.
    writeFileSync(path, text, { flag: "wx" })
  } catch (error) {
    throw unwritable(path, error)
  }
}

const unwritable = (path: string, error: unknown): UsageError =>
  new UsageError(`${path} can't be written: ${error instanceof Error ? error.message : String(error)}`)
