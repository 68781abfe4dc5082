/** `handrail completion bash|zsh|fish`: a script that completes commands, options and their values by itself. */
import { type CommandSpec, commonOptions, UsageError } from "../Command.ts"
import { commands, groupsOf, membersOf } from "../commands.ts"
import { exitCodes } from "../exitCodes.ts"

const shells = ["bash", "zsh", "fish"] as const

export const completion: CommandSpec = {
  name: "completion",
  summary: "print a completion script for your shell",
  about: [],
  arguments: [{ name: "SHELL", describe: `one of ${shells.join(", ")}`, required: true, choices: shells }],
  options: {},
  examples: [
    { command: "handrail completion bash >> ~/.bashrc", what: "bash" },
    { command: "handrail completion zsh > ~/.zfunc/_handrail", what: "zsh, where ~/.zfunc is in fpath" },
    { command: "handrail completion fish > ~/.config/fish/completions/handrail.fish", what: "fish" },
  ],
  exits: [
    [exitCodes.ok, "printed"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const shell = shells.find((name) => name === input.args[0])
    if (shell === undefined) throw new UsageError(`there is no completion for ${input.args[0]}: ${shells.join(", ")}`)
    const specs = await Promise.all(commands.map(({ load }) => load()))
    terminal.print(scripts[shell](specs))
    return exitCodes.ok
  },
}

type Script = (specs: ReadonlyArray<CommandSpec>) => string

const optionsOf = (spec: CommandSpec) => Object.entries({ ...spec.options, ...commonOptions })
const choicesOf = (spec: CommandSpec): ReadonlyArray<string> => spec.arguments.flatMap(({ choices }) => choices ?? [])
/** Within single quotes of a shell. */
const quoted = (text: string): string => text.replaceAll("'", "’")

/** First words. */
const topNames = (specs: ReadonlyArray<CommandSpec>): ReadonlyArray<string> => [
  ...new Set(specs.map(({ name }) => name.split(" ")[0] ?? name)),
]

const bash: Script = (specs) => `_handrail() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words="" name="\${COMP_WORDS[1]}" first=2
  case "$name" in ${groupsOf().join("|")}) name="$name \${COMP_WORDS[2]}"; first=3 ;; esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${topNames(specs).join(" ")} --help --version"
  elif [ "$COMP_CWORD" -lt "$first" ]; then
    case "\${COMP_WORDS[1]}" in
${groupsOf()
  .map((group) => `      ${group}) words="${membersOf(group).join(" ")} --help" ;;`)
  .join("\n")}
    esac
  else
    case "$name:\${COMP_WORDS[COMP_CWORD-1]}" in
${specs.flatMap(bashCases).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _handrail handrail`

const bashCases = (spec: CommandSpec): ReadonlyArray<string> => {
  const values = optionsOf(spec).flatMap(([name, { choices }]) =>
    choices === undefined ? [] : [`      "${spec.name}:--${name}") words="${choices.join(" ")}" ;;`],
  )
  const words = [...choicesOf(spec), ...optionsOf(spec).map(([name]) => `--${name}`)]
  return [...values, `      "${spec.name}":*) words="${words.join(" ")}" ;;`]
}

const zsh: Script = (specs) => `#compdef handrail
_handrail() {
  local name="$words[2]"
  local -a names
  if (( CURRENT == 2 )); then
    names=(${topNames(specs)
      .map((name) => `'${name}:${quoted(summaryOf(name))}'`)
      .join(" ")})
    _describe 'command' names
    return
  fi
  case $name in ${groupsOf().join("|")})
    if (( CURRENT == 3 )); then
      case $name in
${groupsOf()
  .map((group) => `        ${group}) names=(${membersOf(group).join(" ")}) ;;`)
  .join("\n")}
      esac
      _describe 'command' names
      return
    fi
    name="$name $words[3]" ;;
  esac
  case $name in
${specs.map(zshCase).join("\n")}
  esac
}
if [ "$funcstack[1]" = "_handrail" ]; then _handrail "$@"; else compdef _handrail handrail; fi`

const summaryOf = (name: string): string =>
  commands.find((entry) => entry.name === name)?.summary ?? membersOf(name).join(", ")

const zshCase = (spec: CommandSpec): string => {
  const options = optionsOf(spec).map(([name, { kind, describe, value, choices }]) => {
    const takes = kind === "flag" ? "" : `:${value ?? "value"}:${choices === undefined ? "" : `(${choices.join(" ")})`}`
    return `'--${name}[${quoted(describe).replace(/[[\]:]/g, "")}]${takes}'`
  })
  const choices = choicesOf(spec)
  const rest = choices.length > 0 ? `'*:value:(${choices.join(" ")})'` : "'*:file:_files'"
  return `    '${spec.name}') _arguments ${[...options, rest].join(" ")} ;;`
}

const fish: Script = (specs) =>
  [
    ...topNames(specs).map(
      (name) => `complete -c handrail -n __fish_use_subcommand -a ${name} -d '${quoted(summaryOf(name))}'`,
    ),
    ...groupsOf().map((group) => {
      const members = membersOf(group).join(" ")
      return (
        `complete -c handrail -n '__fish_seen_subcommand_from ${group}; ` +
        `and not __fish_seen_subcommand_from ${members}' -a '${members}'`
      )
    }),
    ...specs.flatMap((spec) => {
      const seen = spec.name
        .split(" ")
        .map((word) => `__fish_seen_subcommand_from ${word}`)
        .join("; and ")
      return [
        ...choicesOf(spec).map((choice) => `complete -c handrail -n '${seen}' -a ${choice}`),
        ...optionsOf(spec).map(
          ([name, { kind, describe, choices }]) =>
            `complete -c handrail -n '${seen}' -l ${name} -d '${quoted(describe)}'` +
            `${kind === "flag" ? "" : ` -x${choices === undefined ? "" : ` -a '${choices.join(" ")}'`}`}`,
        ),
      ]
    }),
  ].join("\n")

const scripts: Readonly<Record<(typeof shells)[number], Script>> = { bash, zsh, fish }
