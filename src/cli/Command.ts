/**
 * What a command is: its name, its words for `--help`, the options that it takes, and what it does.
 *
 * A command's file is loaded only when it is asked for, and loads what is heavy only when it runs: `--help` is quick.
 */
import type { Input } from "./Input.ts"
import type { Terminal } from "./Terminal.ts"

export interface OptionSpec {
  /** `flag` takes no value; `list` takes names with commas between them, and may be given again. */
  readonly kind: "flag" | "text" | "count" | "list"
  readonly describe: string
  /** What `--help` calls the value: `N`, `FILE`. */
  readonly value?: string
  /** One letter. */
  readonly short?: string
  /** What completion offers. */
  readonly choices?: ReadonlyArray<string>
}

export interface ArgumentSpec {
  readonly name: string
  readonly describe: string
  readonly required: boolean
  /** The last one may be given again. */
  readonly many?: boolean
  readonly choices?: ReadonlyArray<string>
}

export interface Example {
  readonly command: string
  readonly what: string
}

export interface CommandSpec {
  /** One word, or two where several commands are about one thing: `keys create`. */
  readonly name: string
  readonly summary: string
  /** Paragraphs after the summary. */
  readonly about: ReadonlyArray<string>
  readonly arguments: ReadonlyArray<ArgumentSpec>
  readonly options: Readonly<Record<string, OptionSpec>>
  readonly examples: ReadonlyArray<Example>
  readonly exits: ReadonlyArray<readonly [code: number, meaning: string]>
  /** The exit code. Throws `UsageError` where what was asked makes no sense. */
  run(input: Input, terminal: Terminal): Promise<number>
}

/** What every command takes. */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  help: { kind: "flag", short: "h", describe: "show this help" },
}

/** What a command says for itself before it ends with 1: the words are for people, and nothing went wrong inside. */
export class CommandError extends Error {
  override readonly name = "CommandError"
  readonly code: string
  readonly mend: string | undefined

  constructor(code: string, message: string, mend?: string) {
    super(message)
    this.code = code
    this.mend = mend
  }
}

/** The caller is wrong: shown in one line, with the way to the help. */
export class UsageError extends Error {
  override readonly name = "UsageError"
  readonly suggestion: string | undefined

  constructor(message: string, suggestion?: string) {
    super(message)
    this.suggestion = suggestion
  }
}
