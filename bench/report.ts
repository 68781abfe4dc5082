/**
 * What a run says: figures under stable names for the JSON file, the table and the profile by stage for people.
 */
import type { Line, Target } from "./benchmark.ts"
import type { Spread } from "./measure.ts"
import type { Result } from "./rounds.ts"

export interface Verdict {
  readonly target: Target
  readonly met: boolean
}

export interface Figures {
  /** Stable name → median. */
  readonly values: Readonly<Record<string, number>>
  /** Stable name → least and greatest of the rounds. */
  readonly ranges: Readonly<Record<string, readonly [min: number, max: number]>>
  /** Stable name of the figure that has a target → the target and whether it was met. */
  readonly verdicts: Readonly<Record<string, Verdict>>
}

/** Of this many hand-written lifecycles per second in groups of 128 the absolute targets speak (architecture.md). */
export const referenceFloor128 = 49_000

const stagePrefix = "stage."
const stageOrder = ["mailbox", "decide", "encode", "pack", "sql", "fsync", "fold", "answer"]

export function figuresOf(results: readonly Result[]): Figures {
  const values: Record<string, number> = {}
  const ranges: Record<string, readonly [number, number]> = {}
  const verdicts: Record<string, Verdict> = {}
  const put = (name: string, { min, median, max }: Spread): void => {
    values[name] = median
    ranges[name] = [min, max]
  }
  const judge = (name: string, target: Target | undefined): void => {
    const value = values[name]
    if (target !== undefined && value !== undefined) verdicts[name] = { target, met: meets(value, target) }
  }
  for (const { benchmark, floor, system, ratio, ratioOfBest } of results) {
    const { name, headline } = benchmark
    for (const [figure, found] of system) put(`${name}.${figure}`, found)
    for (const [figure, found] of floor) put(floorName(benchmark, figure), found)
    if (ratio !== undefined) {
      put(`${name}.ratio`, ratio)
      values[`${name}.ratio_min`] = ratio.min
      values[`${name}.ratio_max`] = ratio.max
    }
    if (ratioOfBest !== undefined) values[`${name}.ratio_best`] = ratioOfBest
    judge(`${name}.ratio`, benchmark.ratioTarget)
    for (const line of [headline, ...(benchmark.others ?? [])]) judge(`${name}.${line.figure}`, line.target)
  }
  const floor128 = values["sqlite.128.floor"]
  if (floor128 !== undefined) values["machine.factor"] = floor128 / referenceFloor128
  return { values, ranges, verdicts }
}

/** `sqlite.128.floor` for the figure that the ratio is of, `sqlite.alone.floor_p99_ms` for the others. */
function floorName({ name, kind, headline }: Result["benchmark"], figure: string): string {
  if (kind === "floor") return `${name}.${figure}`
  return figure === headline.figure ? `${name}.floor` : `${name}.floor_${figure}`
}

function meets(value: number, target: Target): boolean {
  return target.bound === "at least" ? value >= target.value : value <= target.value
}

export function renderTable(results: readonly Result[], figures: Figures): string {
  const head = ["name", "figure", "unit", "floor", "ratio (min–max; best)", "target", "met?"]
  const body = results.flatMap((result) => {
    const { benchmark } = result
    return [benchmark.headline, ...(benchmark.others ?? [])].map((line) => cellsOf(result, line, figures))
  })
  const cells = [head, ...body]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)))
  const numeric = new Set([1, 3, 4])
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return numeric.has(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join("  ")
      .trimEnd(),
  )
  const rule = widths.map((width) => "─".repeat(width)).join("  ")
  return [lines[0], rule, ...lines.slice(1)].join("\n")
}

function cellsOf({ benchmark, ratio, ratioOfBest }: Result, line: Line, { values, verdicts }: Figures): string[] {
  const name = `${benchmark.name}.${line.figure}`
  const isHeadline = line === benchmark.headline
  const value = values[name]
  const floor = benchmark.kind === "floor" ? undefined : values[floorName(benchmark, line.figure)]
  const onRatio = isHeadline ? benchmark.ratioTarget : undefined
  const verdict = verdicts[onRatio === undefined ? name : `${benchmark.name}.ratio`]
  const target = line.target ?? onRatio
  return [
    name,
    value === undefined ? "–" : format(value),
    line.unit,
    floor === undefined ? "" : format(floor),
    isHeadline && ratio && ratioOfBest !== undefined
      ? `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}; ${ratioOfBest.toFixed(2)})`
      : "",
    target === undefined
      ? ""
      : `${onRatio ? "ratio " : ""}${target.bound === "at least" ? "≥" : "≤"} ${format(target.value)}`,
    verdict === undefined ? (target === undefined ? "" : "–") : verdict.met ? "yes" : "NO",
  ]
}

/** Benchmarks whose floor did not agree with itself from round to round: the machine was busy, the ratio is a guess. */
export function unsteady(results: readonly Result[]): string[] {
  const tolerated = 1.5
  return results
    .filter(({ benchmark, floor }) => {
      const found = floor.get(benchmark.headline.figure)
      return found !== undefined && found.max > tolerated * found.min
    })
    .map(({ benchmark }) => benchmark.name)
}

/** One block per benchmark whose subject told its stages. */
export function renderProfiles(figures: Figures): string {
  const profiles = new Map<string, Record<string, number>>()
  for (const [name, value] of Object.entries(figures.values)) {
    const at = name.indexOf(`.${stagePrefix}`)
    if (at < 0) continue
    const benchmark = name.slice(0, at)
    const stage = name.slice(at + stagePrefix.length + 1).replace(/_us$/, "")
    profiles.set(benchmark, { ...profiles.get(benchmark), [stage]: value })
  }
  return [...profiles].map(([benchmark, stages]) => renderStages(benchmark, stages)).join("\n\n")
}

/** Stage → µs per command, as bars, in the order in which a command meets them; unknown stages come last. */
export function renderStages(title: string, stages: Readonly<Record<string, number>>): string {
  const rank = (stage: string): number => {
    const known = stageOrder.indexOf(stage)
    return known < 0 ? stageOrder.length : known
  }
  const order = Object.entries(stages).sort(([a], [b]) => rank(a) - rank(b))
  const total = order.reduce((sum, [, us]) => sum + us, 0)
  const width = Math.max(5, ...order.map(([stage]) => stage.length))
  const lines = order.map(([stage, us]) => {
    const share = total === 0 ? 0 : us / total
    const bar = "█".repeat(Math.round(share * 40))
    return `  ${stage.padEnd(width)} ${us.toFixed(2).padStart(9)} µs ${(share * 100).toFixed(0).padStart(4)} %  ${bar}`.trimEnd()
  })
  return [
    `${title}, by stage, per command`,
    ...lines,
    `  ${"total".padEnd(width)} ${total.toFixed(2).padStart(9)} µs`,
  ].join("\n")
}

function format(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US")
  if (Number.isInteger(value)) return String(value)
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
