/**
 * Diagnostics as text for a terminal, without colour codes.
 *
 * Excerpts and names come from a file that somebody else wrote: control characters are shown as `\uFFFD`, so that a
 * definition can't drive the terminal of whoever compiles it.
 */
import type { Diagnostic } from "./Diagnostic.ts"

export const formatDiagnostics = (diagnostics: ReadonlyArray<Diagnostic>): string =>
  diagnostics.length === 0 ? "" : `${diagnostics.map(formatOne).join("\n")}\n${summary(diagnostics)}\n`

const formatOne = (diagnostic: Diagnostic): string => {
  const { file, line, column, severity, code, message, excerpt, suggestion } = diagnostic
  const lines = [`${printable(file)}:${line}:${column} ${severity} ${code}: ${printable(message)}`]
  if (excerpt.trim() !== "") {
    lines.push(`    ${printable(excerpt)}`)
    // A place past the cut of a very long line has no caret.
    if (column <= excerpt.length + 1) lines.push(`    ${padding(excerpt, column)}^`)
  }
  if (suggestion !== undefined) lines.push(`  fix: ${printable(suggestion)}`)
  return lines.join("\n")
}

/** As wide as the text before the column; tabs stay tabs, so that the caret stands beneath its character. */
const padding = (excerpt: string, column: number): string => excerpt.slice(0, column - 1).replace(/[^\t]/g, " ")

/** Control and bidirectional characters replaced; a tab stays. */
const printable = (text: string): string => text.replace(/(?!\t)[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd")

const summary = (diagnostics: ReadonlyArray<Diagnostic>): string => {
  const errors = diagnostics.filter((each) => each.severity === "error").length
  return [count(errors, "error"), count(diagnostics.length - errors, "warning")]
    .filter((part) => part !== "")
    .join(", ")
}

const count = (n: number, noun: string): string => (n === 0 ? "" : `${n} ${noun}${n === 1 ? "" : "s"}`)
