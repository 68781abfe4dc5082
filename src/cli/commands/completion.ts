/** `handrail completion bash|zsh|fish`: a script that completes commands, options and their values by itself. */
import { type CommandSpec, commonOptions, UsageError } from "../Command.ts"
import { commands } from "../commands.ts"
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

const bash: Script = (specs) => `_handrail() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${specs.map(({ name }) => name).join(" ")} --help --version"
  else
    case "\${COMP_WORDS[1]}:\${COMP_WORDS[COMP_CWORD-1]}" in
${specs.flatMap(bashCases).join("\n")}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _handrail handrail`

const bashCases = (spec: CommandSpec): ReadonlyArray<string> => {
  const values = optionsOf(spec).flatMap(([name, { choices }]) =>
    choices === undefined ? [] : [`      ${spec.name}:--${name}) words="${choices.join(" ")}" ;;`],
  )
  const words = [...choicesOf(spec), ...optionsOf(spec).map(([name]) => `--${name}`)]
  return [...values, `      ${spec.name}:*) words="${words.join(" ")}" ;;`]
}

const zsh: Script = (specs) => `#compdef handrail
_handrail() {
  if (( CURRENT == 2 )); then
    local -a names=(${specs.map(({ name, summary }) => `'${name}:${quoted(summary)}'`).join(" ")})
    _describe 'command' names
    return
  fi
  case $words[2] in
${specs.map(zshCase).join("\n")}
  esac
}
if [ "$funcstack[1]" = "_handrail" ]; then _handrail "$@"; else compdef _handrail handrail; fi`

const zshCase = (spec: CommandSpec): string => {
  const options = optionsOf(spec).map(([name, { kind, describe, value, choices }]) => {
    const takes = kind === "flag" ? "" : `:${value ?? "value"}:${choices === undefined ? "" : `(${choices.join(" ")})`}`
    return `'--${name}[${quoted(describe).replace(/[[\]]/g, "")}]${takes}'`
  })
  const choices = choicesOf(spec)
  const rest = choices.length > 0 ? `'*:value:(${choices.join(" ")})'` : "'*:file:_files'"
  return `    ${spec.name}) _arguments ${[...options, rest].join(" ")} ;;`
}

const fish: Script = (specs) =>
  specs
    .flatMap((spec) => [
      `complete -c handrail -n __fish_use_subcommand -a ${spec.name} -d '${quoted(spec.summary)}'`,
      ...choicesOf(spec).map(
        (choice) => `complete -c handrail -n '__fish_seen_subcommand_from ${spec.name}' -a ${choice}`,
      ),
      ...optionsOf(spec).map(
        ([name, { kind, describe, choices }]) =>
          `complete -c handrail -n '__fish_seen_subcommand_from ${spec.name}' -l ${name} -d '${quoted(describe)}'` +
          `${kind === "flag" ? "" : ` -x${choices === undefined ? "" : ` -a '${choices.join(" ")}'`}`}`,
      ),
    ])
    .join("\n")

const scripts: Readonly<Record<(typeof shells)[number], Script>> = { bash, zsh, fish }
