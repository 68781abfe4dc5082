/**
 * Diagnostics: what a compiler says about a definition, where, and what would fix it.
 *
 * A code has one meaning and one severity. A reporter collects them all (bounded), drops repeats of one code at one
 * place, since an alias makes a mistake appear twice, and sorts them as the user reads: workflow.yaml first, then file by file.
 */
import { bounds } from "./bounds.ts"

/** Every code and its severity. An error stops the compiler; a warning never does. */
export const severities = {
  // The file as text
  file_too_large: "error",
  too_many_files: "error",
  duplicate_file: "error",
  yaml_syntax: "error",
  duplicate_key: "error",
  multiple_documents: "error",
  unknown_alias: "error",
  too_many_aliases: "error",
  too_deep: "error",
  root_not_map: "error",
  // The shape of a value
  unknown_key: "error",
  missing_key: "error",
  wrong_type: "error",
  unknown_value: "error",
  invalid_name: "error",
  invalid_duration: "error",
  invalid_path: "error",
  invalid_regex: "error",
  invalid_schema: "error",
  out_of_range: "error",
  unsupported_version: "error",
  // What does not fit together
  duplicate_name: "error",
  duplicate_edge: "error",
  unknown_role: "error",
  unknown_resource: "error",
  unknown_phase: "error",
  unknown_tool: "error",
  no_root: "error",
  unsatisfiable_limit: "error",
  role_max_duration: "error",
  pending_timeout_required: "error",
  initial_phase: "error",
  terminal_phase: "error",
  unreachable_phase: "error",
  artifact_invalid: "error",
  artifact_hash: "error",
  // What is probably a mistake
  unreachable_role: "warning",
  unbound_resource: "warning",
  unbounded_cycle: "warning",
  limit_without_effect: "warning",
  blocking_limit: "warning",
  pending_timeout_unused: "warning",
  unknown_price: "warning",
  uncontracted_tool: "warning",
  missing_contract: "warning",
  ignored_file: "warning",
  too_many_diagnostics: "warning",
} as const

export type DiagnosticCode = keyof typeof severities
export type Severity = "error" | "warning"

/** A place in a file: line and column count from 1, the excerpt is the line's text (cut at a bound). */
export interface Location {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly excerpt: string
}

/** Worked out only for a diagnostic, so that a node costs nothing until something is wrong with it. */
export type Locate = () => Location

export interface Diagnostic extends Location {
  readonly severity: Severity
  readonly code: DiagnosticCode
  readonly message: string
  /** The fix, where one is known: "did you mean `x`?" */
  readonly suggestion?: string
}

/** Where checks put what they find. The suggestion is a function, because looking for a near name is the dear part. */
export type Report = (code: DiagnosticCode, at: Locate, message: string, suggestion?: () => string | undefined) => void

export interface Reporter {
  readonly report: Report
  hasErrors(): boolean
  /** All diagnostics, those of `mainFile` first, in the order of the text. */
  all(mainFile: string): ReadonlyArray<Diagnostic>
}

const placeOf = (location: Location): string =>
  `${location.file}\u0000${location.line}:${location.column}\u0000${location.excerpt}`

export const makeReporter = (): Reporter => {
  const kept: Record<Severity, Array<Diagnostic>> = { error: [], warning: [] }
  const seen = new Set<string>()
  let suggestions = 0
  let overflow: Location | undefined
  const suggested = (suggestion: (() => string | undefined) | undefined): { readonly suggestion?: string } => {
    if (suggestion === undefined || suggestions === bounds.suggestions) return {}
    suggestions += 1
    const fix = suggestion()
    return fix === undefined ? {} : { suggestion: fix }
  }
  return {
    report(code, at, message, suggestion) {
      const severity = severities[code]
      // Each severity has its own room: warnings never crowd out the error that stops the compiler.
      if (kept[severity].length === bounds.diagnostics) {
        overflow ??= at()
        return
      }
      const location = at()
      const key = `${code}\u0000${placeOf(location)}\u0000${message}`
      if (seen.has(key)) return
      seen.add(key)
      kept[severity].push({ severity, code, ...location, message, ...suggested(suggestion) })
    },
    hasErrors: () => kept.error.length > 0,
    all(mainFile) {
      const sorted = [...kept.error, ...kept.warning].sort((a, b) => order(mainFile, a, b))
      return overflow === undefined ? sorted : [...sorted, tooMany(overflow)]
    },
  }
}

const tooMany = (at: Location): Diagnostic => ({
  severity: severities.too_many_diagnostics,
  code: "too_many_diagnostics",
  ...at,
  message: `only the first ${bounds.diagnostics} errors and as many warnings are listed`,
})

const order = (mainFile: string, a: Diagnostic, b: Diagnostic): number => {
  if (a.file !== b.file) {
    if (a.file === mainFile) return -1
    if (b.file === mainFile) return 1
    return a.file < b.file ? -1 : 1
  }
  return a.line - b.line || a.column - b.column
}
