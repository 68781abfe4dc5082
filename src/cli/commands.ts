/** Every command, by name. A file is loaded when its command is asked for. */
import type { CommandSpec } from "./Command.ts"

export interface CommandEntry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<CommandSpec>
}

export const commands: ReadonlyArray<CommandEntry> = [
  {
    name: "check",
    summary: "compile definitions and show every mistake",
    load: async () => (await import("./commands/check.ts")).check,
  },
  {
    name: "simulate",
    summary: "run good and bad agents on a definition and tell what can happen",
    load: async () => (await import("./commands/simulate.ts")).simulate,
  },
  {
    name: "completion",
    summary: "print a completion script for your shell",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
]
