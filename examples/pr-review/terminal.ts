/**
 * Text for a terminal: how wide it is, how to cut it, and how to make it harmless.
 *
 * Names and excerpts come from outside. An escape sequence in one could move the cursor, hide text or change the title
 * of the window, and a right-to-left override could make a line say something else than it does; `plain` shows such
 * characters by their number instead of sending them.
 */

/** The text with everything invisible made visible: control, format and unassigned characters, line separators. */
export const plain = (text: string): string =>
  text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)

const wide =
  /[\u{1100}-\u{115f}\u{2e80}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

const charWidth = (char: string): number => {
  if (/\p{M}/u.test(char)) return 0
  return wide.test(char) ? 2 : 1
}

/** How many columns the text takes. It holds no escape sequences: colour is put on after the measuring. */
export const width = (text: string): number => {
  let columns = 0
  for (const char of text) columns += charWidth(char)
  return columns
}

/** The text in exactly `columns` columns: cut with an ellipsis, or filled with blanks. */
export const pad = (text: string, columns: number): string => {
  const cut = clip(text, columns)
  return cut + " ".repeat(Math.max(0, columns - width(cut)))
}

/** The text in at most `columns` columns. */
export const clip = (text: string, columns: number): string => {
  if (width(text) <= columns) return text
  if (columns <= 0) return ""
  let kept = ""
  let used = 0
  for (const char of text) {
    if (used + charWidth(char) > columns - 1) break
    kept += char
    used += charWidth(char)
  }
  return `${kept}…`
}

/** An amount of money: two decimals, and as many more as it has, up to the six that are counted (semantics.md §1). */
export const money = (amount: number): string =>
  amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 6 })

export type Colour = "red" | "green" | "yellow" | "blue" | "cyan" | "dim" | "bold"
export type Paint = (colour: Colour, text: string) => string

const codes: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
}

export const painter = (colour: boolean): Paint =>
  colour ? (name, text) => `\u001b[${codes[name][0]}m${text}\u001b[${codes[name][1]}m` : (_, text) => text

/** Colour is for people: none in a pipe, none where https://no-color.org says so. */
export const wantsColour = (
  stream: { readonly isTTY?: boolean | undefined } = process.stdout,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): boolean => stream.isTTY === true && (environment.NO_COLOR ?? "") === "" && environment.TERM !== "dumb"
