/** The text of `--help`, made of what commands say about themselves. */
import { type CommandSpec, commonOptions, type OptionSpec } from "./Command.ts"
import { type CommandEntry, commands } from "./commands.ts"
import { type Terminal, wrap } from "./Terminal.ts"

export const overview = (terminal: Terminal): string => {
  const sections = [...new Set(commands.map(({ section }) => section))]
  return [
    "Handrail: workflow governance for multi-agent systems.",
    "",
    `${terminal.paint("bold", "Usage:")} handrail COMMAND [OPTIONS]`,
    ...sections.flatMap((section) => [
      "",
      terminal.paint("bold", `${section}:`),
      ...listing(
        commands.filter((entry) => entry.section === section),
        terminal,
      ),
    ]),
    "",
    terminal.paint("bold", "Options:"),
    "  -h, --help     show this help, or that of a command",
    "  -V, --version  show the version",
    "",
    terminal.paint("bold", "Examples:"),
    "  handrail init governance",
    "  handrail simulate governance/workflow.yaml --runs 10000",
    "  handrail serve --store sqlite:./handrail.db --port 4000",
    "  handrail simulate --help",
  ].join("\n")
}

/** The commands of a group, such as `keys`. */
export const groupHelp = (group: string, terminal: Terminal): string =>
  [
    `${terminal.paint("bold", "Usage:")} handrail ${group} COMMAND [OPTIONS]`,
    "",
    terminal.paint("bold", "Commands:"),
    ...listing(
      commands.filter(({ name }) => name.startsWith(`${group} `)),
      terminal,
    ),
    "",
    `See handrail ${group} COMMAND --help.`,
  ].join("\n")

const nameWidth = Math.max(...commands.map(({ name }) => name.length))

const listing = (entries: ReadonlyArray<CommandEntry>, terminal: Terminal): ReadonlyArray<string> =>
  entries.map(({ name, summary }) => `  ${terminal.paint("cyan", name.padEnd(nameWidth))}  ${summary}`)

export const helpOf = (spec: CommandSpec, terminal: Terminal): string => {
  const title = (text: string): string => terminal.paint("bold", text)
  const places = spec.arguments.map(({ name, required, many }) => {
    const text = many === true ? `${name}...` : name
    return required ? ` ${text}` : ` [${text}]`
  })
  const options = Object.entries({ ...spec.options, ...commonOptions }).map(
    ([name, option]) => [optionText(name, option), option.describe] as const,
  )
  const args = spec.arguments.map(({ name, describe }) => [name, describe] as const)
  return [
    `${spec.summary[0]?.toUpperCase()}${spec.summary.slice(1)}.`,
    ...spec.about.flatMap((paragraph) => ["", wrap(paragraph, terminal.columns)]),
    "",
    `${title("Usage:")} handrail ${spec.name}${places.join("")} [OPTIONS]`,
    ...(args.length === 0 ? [] : ["", title("Arguments:"), table(args, terminal)]),
    "",
    title("Options:"),
    table(options, terminal),
    "",
    title("Examples:"),
    ...spec.examples.flatMap(({ command, what }) => [`  ${terminal.paint("dim", `# ${what}`)}`, `  ${command}`]),
    ...(spec.exits.length === 0
      ? []
      : [
          "",
          title("Exit codes:"),
          table(
            spec.exits.map(([code, meaning]) => [String(code), meaning] as const),
            terminal,
          ),
        ]),
  ].join("\n")
}

const optionText = (name: string, { short, value, kind }: OptionSpec): string =>
  `${short === undefined ? "    " : `-${short}, `}--${name}${kind === "flag" ? "" : ` ${value ?? "VALUE"}`}`

/** Two columns; the second is wrapped beneath itself. */
const table = (rows: ReadonlyArray<readonly [string, string]>, { columns }: Terminal): string => {
  const width = Math.max(...rows.map(([left]) => left.length))
  const margin = " ".repeat(width + 4)
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${wrap(right, columns, margin).trimStart()}`).join("\n")
}
