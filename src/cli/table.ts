/** Tables for people: columns beneath their titles, as wide as what is in them, the last one to the edge of the screen. */
import { printable, type Terminal } from "./Terminal.ts"

export interface Column {
  readonly title: string
  /** Numbers stand at the right. */
  readonly align?: "right"
}

/** Cells may be painted: their width is that of what is seen. */
export const table = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  terminal: Terminal,
): string => {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => visible(row[index] ?? "").length)),
  )
  const line = (cells: ReadonlyArray<string>): string =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? ""
        const blanks = " ".repeat(Math.max(0, (widths[index] ?? 0) - visible(cell).length))
        return align === "right" ? blanks + cell : cell + blanks
      })
      .join("  ")
      .trimEnd()
  return [line(columns.map(({ title }) => terminal.paint("bold", title))), ...rows.map(line)].join("\n")
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colours are made of
const colours = /\u001b\[\d+m/g
const visible = (text: string): string => text.replace(colours, "")

/** Text of somebody else in one cell: nothing in it moves the cursor, and it is cut where it is too long. */
export const cell = (text: string, most = 60): string => {
  const shown = printable(text)
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown
}
