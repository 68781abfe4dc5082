/** The report of a simulation, for people. */

import { didYouMean } from "../definition/suggest.ts"
import { clockText } from "../testing/check/durations.ts"
import type { Finding, Report } from "../testing/check/report.ts"
import { UsageError } from "./Command.ts"
import { printable, type Style, type Terminal, wrap } from "./Terminal.ts"

const n = (count: number): string => count.toLocaleString("en-US")
const things = (count: number, one: string, many = `${one}s`): string => `${n(count)} ${count === 1 ? one : many}`

/** Dangers with their histories; what is merely reached in a line each. */
export const showReport = (report: Report, terminal: Terminal): void => {
  const { statistics, findings } = report
  const size = `${things(statistics.runs, "run")}, ${things(statistics.commands, "command")}`
  terminal.print(`${terminal.paint("bold", printable(report.workflow))}: ${size}, seed ${report.seed}`)
  for (const finding of findings) if (finding.level !== "reached") showFinding(finding, report, terminal)
  const reached = findings.filter(({ level }) => level === "reached")
  if (reached.length > 0) {
    terminal.print(`\n${terminal.paint("bold", "What can be reached")}, and as a rule that is what it is for:`)
    for (const { id, text } of reached) {
      terminal.print(`  ${terminal.paint("cyan", printable(id))}`)
      terminal.print(wrap(text, terminal.columns, "    "))
    }
  }
  const over = overshoot(report)
  if (over !== undefined) terminal.print(`\n${wrap(over, terminal.columns)}`)
  const never = neverReached(report)
  if (never.length > 0) terminal.print(`\n${wrap(`Never reached: ${never.join(", ")}.`, terminal.columns)}`)
  terminal.print(`\n${summary(report, terminal)}`)
}

/** Chosen findings, each with its history. Throws `UsageError` where there is no such finding. */
export const showHistories = (report: Report, ids: ReadonlyArray<string>, terminal: Terminal): void => {
  const known = report.findings.map(({ id }) => id)
  const chosen = ids.map((id) => {
    const finding = report.findings.find((one) => one.id === id)
    if (finding === undefined)
      throw new UsageError(
        `nothing of the id ${id} was found in ${things(report.statistics.runs, "run")}`,
        didYouMean(id, known),
      )
    return finding
  })
  for (const finding of chosen) showFinding(finding, report, terminal)
}

const styles: Readonly<Record<Finding["level"], Style>> = { violation: "red", danger: "red", reached: "cyan" }

const showFinding = (finding: Finding, { statistics }: Report, terminal: Terminal): void => {
  const { level, id, text, fix, runs, history, allowed } = finding
  const style: Style = allowed ? "yellow" : styles[level]
  const label = allowed ? "allowed" : level
  const often = runs === 0 ? "" : ` (in ${share(runs, statistics.runs)} of the runs)`
  terminal.print(
    `\n${terminal.paint(style, label.toUpperCase())} ${terminal.paint("bold", printable(id))}${terminal.paint("dim", often)}`,
  )
  terminal.print(wrap(text, terminal.columns, "  "))
  if (fix !== null) terminal.print(`${wrap(`fix: ${fix}`, terminal.columns, "  ")}`)
  const width = Math.max(0, ...history.map(({ at }) => clockText(at).length))
  const margin = " ".repeat(width + 6)
  for (const { at, text: told } of history) {
    const time = terminal.paint("dim", clockText(at).padStart(width))
    terminal.print(`    ${time}  ${wrap(told, terminal.columns, margin).trimStart()}`)
  }
}

const share = (part: number, whole: number): string => {
  const percent = (100 * part) / whole
  return percent >= 10 ? `${Math.round(percent)} %` : percent >= 0.1 ? `${percent.toFixed(1)} %` : "under 0.1 %"
}

const names: ReadonlyArray<readonly [keyof Report["limits"], string]> = [
  ["maxSessions", "max_sessions"],
  ["maxActiveSessions", "max_active_sessions"],
  ["maxSteps", "max_steps"],
  ["maxCost", "max_cost"],
  ["maxTokens", "max_tokens"],
  ["maxOpenHandoffs", "max_open_handoffs"],
  ["maxDepth", "max_depth"],
]

const neverReached = ({ limits }: Report): ReadonlyArray<string> =>
  names.flatMap(([name, wire]) => {
    const { limit, reached, peak } = limits[name]
    return limit === null || reached > 0
      ? []
      : [name === "maxDepth" ? `${wire} ${limit}` : `${wire} ${limit} (at most ${peak})`]
  })

/** How far cost can go past its limit, where there is one. */
const overshoot = ({ limits }: Report): string | undefined => {
  const { limit, peak, overshoot: over } = limits.maxCost
  if (over.calls === 0 && limit === null) return undefined
  const most = limit === null ? "" : ` Of max_cost ${limit}, at most ${peak} was spent and reserved at a time.`
  const seen = over.seen === 0 ? "Cost never went past a limit." : `Cost went ${over.seen} past a limit, at most.`
  const bound =
    over.calls === null
      ? "Nothing in the definition bounds that: set max_steps."
      : `The definition bounds that to ${things(over.calls, "call")} that cost more than they were estimated at` +
        (over.bound === null || over.bound === 0
          ? "."
          : `: ${over.bound}, if each were as dear as the dearest that was simulated.`)
  return `${seen}${most} ${bound}`
}

const summary = (report: Report, terminal: Terminal): string => {
  const { violations, dangers, reached, findings } = report
  const allowed = findings.length - violations.length - dangers.length - reached.length
  const parts = [
    violations.length === 0 ? "" : terminal.paint("red", things(violations.length, "violation")),
    dangers.length === 0
      ? terminal.paint("green", "no danger")
      : terminal.paint("red", things(dangers.length, "danger")),
    allowed === 0 ? "" : terminal.paint("yellow", `${n(allowed)} allowed`),
    `${n(reached.length)} reached`,
  ]
  const hint = dangers.length > 0 ? " Accept a known danger with --allow ID." : ""
  return `${parts.filter((part) => part !== "").join(", ")}.${hint} --history ID shows how something comes about.`
}
