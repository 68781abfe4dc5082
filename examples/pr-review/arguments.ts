/** What the demo was asked to do. A mistake is a `UsageError`, whose message says what to write instead. */
import { parseArgs } from "node:util"
import type { VariantName, variants } from "./variants.ts"

export interface Request {
  readonly variant: VariantName
  /** A diff's path or a git range; none is the change that ships with the example. */
  readonly target?: string
  /** The repository that a range is of. */
  readonly repo?: string
  /** Whether the agents reach a server, where they open the store themselves otherwise. */
  readonly http?: true
  /** Where the store and the review go. */
  readonly out?: string
}

export class UsageError extends Error {
  override readonly name = "UsageError"
}

export const usage = `Reviews a change by four agents, each a process of its own, under one durable workflow.

  npm run demo                                  the change that ships with the example
  npm run demo -- PATH                          a .diff or .patch file
  npm run demo -- HEAD~3..HEAD [--repo DIR]     a range of a git repository

  --contend      two scanners race for one handoff; one is told why it lost
  --crash        a claimant is SIGKILLed before its first step; its lease runs out and another one finishes
  --kill         an operator kills the tree in the middle; everybody stops
  --overspend    the scanner runs out of money, twice; an operator raises the limit
  --http         the agents reach a server, a process of its own, with keys; goes with any of the above
  --out DIR      where the store and the review go; default: a new folder for temporary files
  --help         this text
`

/** Undefined where only help is wanted. */
export const readArguments = (args: readonly string[]): Request | undefined => {
  const { positionals, values } = parse(args)
  if (values.help === true) return undefined
  const chosen = names.filter((name) => values[name] === true)
  if (chosen.length > 1) throw new UsageError(`Choose one of ${chosen.map((name) => `--${name}`).join(" and ")}.`)
  if (positionals.length > 1) throw new UsageError(`One change at a time, but there are ${positionals.join(" and ")}.`)
  const [target] = positionals
  return {
    variant: chosen[0] ?? "normal",
    ...(target === undefined ? {} : { target }),
    ...(values.repo === undefined ? {} : { repo: values.repo }),
    ...(values.http === true ? { http: true } : {}),
    ...(values.out === undefined ? {} : { out: values.out }),
  }
}

const names = ["contend", "crash", "kill", "overspend"] as const satisfies readonly (keyof typeof variants)[]

const flags = { type: "boolean" } as const
const text = { type: "string" } as const
const options = {
  contend: flags,
  crash: flags,
  kill: flags,
  overspend: flags,
  http: flags,
  repo: text,
  out: text,
  help: { type: "boolean", short: "h" },
} as const

/** Looks before it parses, because the words of `parseArgs` are for programmers. */
const parse = (args: readonly string[]) => {
  const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind !== "option") continue
    const { name, rawName, value } = token
    const option = Object.entries(options).find(([known]) => known === name)?.[1]
    if (option === undefined) throw new UsageError(`There is no option ${rawName}.`)
    if (option.type === "string" && (value === undefined || value === "" || value.startsWith("-")))
      throw new UsageError(`${rawName} needs a directory.`)
    if (option.type === "boolean" && value !== undefined) throw new UsageError(`${rawName} takes no value.`)
  }
  return parseArgs({ args: [...args], options, allowPositionals: true })
}
