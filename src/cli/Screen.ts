/**
 * A picture on the terminal that is drawn over and over: on the terminal's other screen, so that what was there comes back, and
 * never more lines than there are, so that nothing scrolls away.
 */
import type { Terminal } from "./Terminal.ts"

const enter = "\u001b[?1049h\u001b[?25l"
const leave = "\u001b[?25h\u001b[?1049l"
const home = "\u001b[H"
const restOfLine = "\u001b[K"
const restOfScreen = "\u001b[J"

export class Screen {
  readonly #terminal: Terminal

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  open(): void {
    this.#terminal.write(enter)
  }

  draw(lines: ReadonlyArray<string>): void {
    const room = this.#terminal.rows - 1
    const shown = lines.length <= room ? lines : [...lines.slice(0, room - 1), more(lines.length - room + 1)]
    // Written over what is there, without clearing it first: nothing flickers.
    this.#terminal.write(`${home}${shown.map((line) => `${line}${restOfLine}\n`).join("")}${restOfScreen}`)
  }

  close(): void {
    this.#terminal.write(leave)
  }
}

const more = (count: number): string => `… ${count} more lines: handrail workflows show has them all`
