/**
 * Where the lines go. On a terminal the last line is live: it says what is being waited for, and makes room for every new line.
 * In a pipe there are only lines.
 */
import { clip, type Paint, plain } from "./terminal.ts"

const frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
const everyMs = 100

export class Screen {
  readonly #out: NodeJS.WriteStream
  readonly #columns: number
  readonly #paint: Paint
  #status: (() => string) | undefined
  #timer: NodeJS.Timeout | undefined
  #frame = 0
  #isDrawn = false

  constructor(out: NodeJS.WriteStream, columns: number, paint: Paint) {
    this.#out = out
    this.#columns = columns
    this.#paint = paint
  }

  line(text = ""): void {
    this.#clear()
    this.#out.write(`${text}\n`)
    this.#draw()
  }

  /** Keeps a live last line until `rest`. */
  live(status: () => string): void {
    if (!this.#out.isTTY || process.env.TERM === "dumb") return
    this.#status = status
    this.#timer = setInterval(() => {
      this.#frame = (this.#frame + 1) % frames.length
      this.#clear()
      this.#draw()
    }, everyMs)
    this.#timer.unref()
  }

  rest(): void {
    clearInterval(this.#timer)
    this.#status = undefined
    this.#clear()
  }

  #draw(): void {
    if (this.#status === undefined) return
    const text = clip(`${frames[this.#frame]} ${plain(this.#status())}`, this.#columns - 1)
    this.#out.write(this.#paint("dim", text))
    this.#isDrawn = true
  }

  #clear(): void {
    if (!this.#isDrawn) return
    this.#out.write("\r\u001b[2K")
    this.#isDrawn = false
  }
}
