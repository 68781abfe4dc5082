/**
 * Where a command prints: standard output for what was asked, standard error for everything said about it.
 *
 * Colours only on a terminal and where nobody has said otherwise (NO_COLOR, TERM=dumb); FORCE_COLOR turns them on. Text that
 * comes from a file has its control characters shown, so that it can't drive the terminal.
 */
import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"
import type { ReadStream, WriteStream } from "node:tty"

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan"

const sequences: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
}

export interface Streams {
  readonly stdout: Stream | WriteStream
  readonly stderr: Stream | WriteStream
  /** Without it nobody can be asked. */
  readonly stdin?: ReadStream
  readonly env: Readonly<Record<string, string | undefined>>
}

/** As wide as lines are made where nobody sees how wide the screen is, and at most. */
const defaultColumns = 100
const widest = 120
const defaultRows = 24

export class Terminal {
  readonly #streams: Streams
  readonly columns: number
  readonly #colour: boolean

  constructor(streams: Streams) {
    this.#streams = streams
    const { stdout } = streams
    this.columns = Math.min(
      widest,
      Math.max(40, stdout.isTTY === true ? (known(stdout.columns) ?? defaultColumns) : defaultColumns),
    )
    this.#colour = hasColour(streams)
  }

  get env(): Streams["env"] {
    return this.#streams.env
  }

  /** Whether a person reads what is printed. */
  get isTerminal(): boolean {
    return this.#streams.stdout.isTTY === true
  }

  /** Lines of the screen. */
  get rows(): number {
    const { stdout } = this.#streams
    return Math.max(5, known(stdout.rows) ?? defaultRows)
  }

  /** Whether a person is there to answer. */
  get canAsk(): boolean {
    const { stdin, stderr } = this.#streams
    return stdin?.isTTY === true && stderr.isTTY === true
  }

  /** What the person answers; empty where there is none, or at Ctrl-C. */
  async ask(question: string): Promise<string> {
    const { stdin, stderr } = this.#streams
    if (stdin === undefined || !(stderr instanceof Writable)) return ""
    const lines = createInterface({ input: stdin, output: stderr })
    const left = new Promise<string>((resolve) => lines.once("close", () => resolve("")))
    try {
      return (await Promise.race([lines.question(question), left])).trim()
    } finally {
      lines.close()
    }
  }

  /** As it is, without a line's end: a whole screen. */
  write(text: string): void {
    this.#streams.stdout.write(text)
  }

  /** What was asked for. */
  print(text: string): void {
    this.#streams.stdout.write(`${text}\n`)
  }

  /** What is said about it. */
  tell(text: string): void {
    this.#streams.stderr.write(`${text}\n`)
  }

  paint(style: Style, text: string): string {
    if (!this.#colour) return text
    const [on, off] = sequences[style]
    return `\u001b[${on}m${text}\u001b[${off}m`
  }

  /** Overwrites the line that it wrote last, on standard error; nothing where that is no terminal. */
  progress(text: string): void {
    if (this.#streams.stderr.isTTY === true) this.#streams.stderr.write(`\r\u001b[2K${text}`)
  }
}

/** Some terminals say that they have no size at all. */
const known = (size: number | undefined): number | undefined => (size === 0 ? undefined : size)

const hasColour = ({ stdout, env }: Streams): boolean => {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "" && env.FORCE_COLOR !== "0") return true
  return stdout.isTTY === true && env.TERM !== "dumb"
}

/** Control and bidirectional characters shown as `\uFFFD`. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd")

/** Text in lines of at most `columns`, broken at blanks; every line begins with `indent`. */
export const wrap = (text: string, columns: number, indent = ""): string => {
  const lines: Array<string> = []
  let line = ""
  for (const word of printable(text).split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > columns) {
      lines.push(line)
      line = word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line].map((one) => indent + one).join("\n")
}
