/** The `handrail` command: finds the command that is meant, reads its options, runs it, and turns errors into exit codes. */
import { readFileSync } from "node:fs"
import { didYouMean } from "../definition/suggest.ts"
import { UsageError } from "./Command.ts"
import { commands } from "./commands.ts"
import { exitCodes } from "./exitCodes.ts"
import { helpOf, overview } from "./help.ts"
import { readInput } from "./Input.ts"
import { printable, type Terminal } from "./Terminal.ts"

/** The exit code. Never throws. */
export const runCli = async (argv: ReadonlyArray<string>, terminal: Terminal): Promise<number> => {
  const [first, ...rest] = argv
  try {
    if (first === undefined || first === "--help" || first === "-h" || first === "help") {
      return await showHelp(
        rest.find((word) => !word.startsWith("-")),
        terminal,
      )
    }
    if (first === "--version" || first === "-V") {
      terminal.print(version())
      return exitCodes.ok
    }
    const spec = await find(first)
    const input = readInput(spec, rest)
    if (input.flag("help")) {
      terminal.print(helpOf(spec, terminal))
      return exitCodes.ok
    }
    return await spec.run(input, terminal)
  } catch (error) {
    if (!(error instanceof UsageError)) {
      terminal.tell(`handrail: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      return exitCodes.internal
    }
    const hint = error.suggestion === undefined ? "" : ` ${printable(error.suggestion)}`
    terminal.tell(`handrail: ${printable(error.message.replace(/[.]$/, ""))}.${hint}`)
    const known = commands.some(({ name }) => name === first)
    terminal.tell(`See handrail ${known ? `${first} ` : ""}--help.`)
    return exitCodes.usage
  }
}

const showHelp = async (name: string | undefined, terminal: Terminal): Promise<number> => {
  terminal.print(name === undefined ? overview(terminal) : helpOf(await find(name), terminal))
  return exitCodes.ok
}

const find = async (name: string) => {
  const entry = commands.find((command) => command.name === name)
  if (entry === undefined)
    throw new UsageError(
      name.startsWith("-") ? `there is no option ${name}` : `there is no command ${name}`,
      didYouMean(name, name.startsWith("-") ? ["--help", "--version"] : commands.map((command) => command.name)),
    )
  return entry.load()
}

const version = (): string => {
  const manifest: { readonly version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  )
  return manifest.version
}
