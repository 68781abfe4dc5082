/** The `handrail` command: finds the command that is meant, reads its options, runs it, and turns errors into exit codes. */
import { didYouMean } from "../definition/suggest.ts"
import { CommandError, UsageError } from "./Command.ts"
import { type CommandEntry, commands, groupsOf, membersOf } from "./commands.ts"
import { exitCodes } from "./exitCodes.ts"
import { groupHelp, helpOf, overview } from "./help.ts"
import { readInput } from "./Input.ts"
import { printable, type Terminal } from "./Terminal.ts"
import { version } from "./version.ts"

/** The exit code. Never throws. */
export const runCli = async (argv: ReadonlyArray<string>, terminal: Terminal): Promise<number> => {
  const [first] = argv
  try {
    if (first === undefined || first === "--help" || first === "-h" || first === "help") {
      return await showHelp(
        argv.slice(1).filter((word) => !word.startsWith("-")),
        terminal,
      )
    }
    if (first === "--version" || first === "-V") {
      terminal.print(version())
      return exitCodes.ok
    }
    const isHelp = argv[1] === undefined || argv[1] === "--help" || argv[1] === "-h"
    if (groupsOf().includes(first) && isHelp) {
      terminal.print(groupHelp(first, terminal))
      return argv[1] === undefined ? exitCodes.usage : exitCodes.ok
    }
    const { entry, rest } = find(argv)
    const spec = await entry.load()
    const input = readInput(spec, rest)
    if (input.flag("help")) {
      terminal.print(helpOf(spec, terminal))
      return exitCodes.ok
    }
    return await spec.run(input, terminal)
  } catch (error) {
    return await tellError(error, argv, terminal)
  }
}

const showHelp = async (words: ReadonlyArray<string>, terminal: Terminal): Promise<number> => {
  const [first, second] = words
  if (first === undefined) terminal.print(overview(terminal))
  else if (second === undefined && groupsOf().includes(first)) terminal.print(groupHelp(first, terminal))
  else terminal.print(helpOf(await find(words).entry.load(), terminal))
  return exitCodes.ok
}

interface Found {
  readonly entry: CommandEntry
  /** What stands after the command's name. */
  readonly rest: ReadonlyArray<string>
}

const find = (argv: ReadonlyArray<string>): Found => {
  const [first = "", second = ""] = argv
  const long = commands.find(({ name }) => name === `${first} ${second}`)
  if (long !== undefined) return { entry: long, rest: argv.slice(2) }
  const short = commands.find(({ name }) => name === first)
  if (short !== undefined) return { entry: short, rest: argv.slice(1) }
  if (groupsOf().includes(first)) {
    const members = membersOf(first)
    throw new UsageError(`${first} takes one of ${members.join(", ")}, not ${second}`, didYouMean(second, members))
  }
  const isOption = first.startsWith("-")
  const names = [...new Set(commands.map(({ name }) => name.split(" ")[0] ?? name))]
  throw new UsageError(
    isOption ? `there is no option ${first}` : `there is no command ${first}`,
    didYouMean(first, isOption ? ["--help", "--version"] : names),
  )
}

/** Says what went wrong in a line, and how to mend it. Only a bug shows where it came from. */
const tellError = async (error: unknown, argv: ReadonlyArray<string>, terminal: Terminal): Promise<number> => {
  if (error instanceof UsageError) {
    const hint = error.suggestion === undefined ? "" : ` ${printable(error.suggestion)}`
    terminal.tell(`handrail: ${sentence(error.message)}${hint}`)
    terminal.tell(`See handrail ${helpName(argv)}--help.`)
    return exitCodes.usage
  }
  const { refusalOf, refusalJson, refusalText } = await import("./refusals.ts")
  const refusal = error instanceof CommandError ? { ...error, detail: error.message } : refusalOf(error)
  if (refusal === undefined) {
    terminal.tell(`handrail: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return exitCodes.internal
  }
  terminal.tell(argv.includes("--json") ? refusalJson(refusal) : refusalText(refusal))
  return exitCodes.found
}

const sentence = (text: string): string => `${printable(text.replace(/[.]$/, ""))}.`

const helpName = (argv: ReadonlyArray<string>): string => {
  const [first = "", second = ""] = argv
  if (commands.some(({ name }) => name === `${first} ${second}`)) return `${first} ${second} `
  return commands.some(({ name }) => name === first) || groupsOf().includes(first) ? `${first} ` : ""
}
