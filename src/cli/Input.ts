/** What was typed after a command's name, read by the command's own specification: nothing unknown is passed over. */
import { parseArgs } from "node:util"
import { didYouMean } from "../definition/suggest.ts"
import { type CommandSpec, commonOptions, UsageError } from "./Command.ts"

type Given = Pick<CommandSpec, "name" | "arguments" | "options">

export class Input {
  /** Arguments that are no options, in order. */
  readonly args: ReadonlyArray<string>
  readonly #values: ReadonlyMap<string, ReadonlyArray<string>>

  constructor(args: ReadonlyArray<string>, values: ReadonlyMap<string, ReadonlyArray<string>>) {
    this.args = args
    this.#values = values
  }

  flag(name: string): boolean {
    return this.#values.has(name)
  }

  /** The last one given. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1)
  }

  count(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    // 10_000 and 10,000 are what people write.
    const plain = text.replace(/(?<=\d)[_,](?=\d{3})/g, "")
    if (!/^\d+$/.test(plain) || !Number.isSafeInteger(Number(plain)))
      throw new UsageError(`--${name} takes a whole number, not ${JSON.stringify(text)}`)
    return Number(plain)
  }

  /** A decimal amount of money. */
  amount(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (!/^\d+(\.\d{1,6})?$/.test(text))
      throw new UsageError(`--${name} takes an amount like 12.50, not ${JSON.stringify(text)}`)
    return Number(text)
  }

  /** One of a few words. */
  choice<A extends string>(name: string, choices: ReadonlyArray<A>): A | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const found = choices.find((choice) => choice === text)
    if (found === undefined)
      throw new UsageError(
        `--${name} is one of ${choices.join(", ")}, not ${JSON.stringify(text)}`,
        didYouMean(text, choices),
      )
    return found
  }

  /** An argument that the specification requires. */
  arg(index: number): string {
    return this.args[index] ?? ""
  }

  list(name: string): ReadonlyArray<string> {
    return (this.#values.get(name) ?? []).flatMap((text) => text.split(",")).filter((part) => part !== "")
  }
}

/** Throws `UsageError`. */
export const readInput = (spec: Given, argv: ReadonlyArray<string>): Input => {
  const options = { ...commonOptions, ...spec.options }
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { kind, short }]) => [
        name,
        {
          type: kind === "flag" ? ("boolean" as const) : ("string" as const),
          multiple: true,
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const args: Array<string> = []
  const values = new Map<string, Array<string>>()
  for (const token of tokens) {
    if (token.kind === "positional") args.push(token.value)
    if (token.kind !== "option") continue
    const option = options[token.name]
    if (option === undefined)
      throw new UsageError(
        `${spec.name} has no option ${token.rawName}`,
        didYouMean(
          token.rawName,
          Object.keys(options).map((name) => `--${name}`),
        ),
      )
    if (option.kind === "flag" && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`)
    const isNext = token.inlineValue === false && token.value?.startsWith("--") === true
    if (option.kind !== "flag" && (token.value === undefined || isNext))
      throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${option.value ?? "VALUE"}`)
    values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? ""])
  }
  if (!values.has("help")) checkCount(spec, args)
  return new Input(args, values)
}

const checkCount = ({ name, arguments: wanted }: Given, args: ReadonlyArray<string>): void => {
  const missing = wanted[args.length]
  if (missing?.required === true) throw new UsageError(`${name} needs ${missing.name}: ${missing.describe}`)
  const extra = args[wanted.length]
  if (extra !== undefined && wanted.at(-1)?.many !== true)
    throw new UsageError(`${name} takes no argument ${JSON.stringify(extra)}`)
}
