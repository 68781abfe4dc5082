/**
 * Counters, histograms and gauges, and their text for Prometheus (exposition format 0.0.4).
 *
 * Small and of our own, because it counts where commands are decided: a cell is a number in an object that its caller keeps, so
 * that counting is an addition and no look-up by labels. The cells of a metric are bounded, whatever its labels are given.
 */

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge" | "histogram"
  /** The lines of its samples. */
  samples(): ReadonlyArray<string>
}

/** Cells of one metric; whatever comes after shares one, labelled `other`. */
const mostCells = 400

const escaped = (value: string): string => value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")

const labelled = (names: ReadonlyArray<string>, values: ReadonlyArray<string>): string =>
  names.map((name, index) => `${name}="${escaped(values[index] ?? "")}"`).join(",")

const sample = (name: string, labels: string, value: number): string =>
  `${name}${labels === "" ? "" : `{${labels}}`} ${value}`

/** The cells of a metric by the values of its labels. */
class Cells<C> {
  readonly #names: ReadonlyArray<string>
  readonly #make: () => C
  readonly #cells = new Map<string, C>()

  constructor(names: ReadonlyArray<string>, make: () => C) {
    this.#names = names
    this.#make = make
    if (names.length === 0) this.#cells.set("", make())
  }

  of(values: ReadonlyArray<string>): C {
    const isFull = this.#cells.size >= mostCells
    const labels = labelled(this.#names, values)
    const key =
      isFull && !this.#cells.has(labels)
        ? labelled(
            this.#names,
            values.map(() => "other"),
          )
        : labels
    let cell = this.#cells.get(key)
    if (cell === undefined) {
      cell = this.#make()
      this.#cells.set(key, cell)
    }
    return cell
  }

  all(): Iterable<readonly [labels: string, cell: C]> {
    return this.#cells
  }
}

/** A number that only grows. */
export interface Count {
  value: number
}

export class Counter implements Family {
  readonly type = "counter"
  readonly name: string
  readonly help: string
  readonly #cells: Cells<Count>

  constructor(name: string, help: string, labels: ReadonlyArray<string> = []) {
    this.name = name
    this.help = help
    this.#cells = new Cells(labels, () => ({ value: 0 }))
  }

  /** The cell of these values; keep it where it is counted often. */
  cell(...values: ReadonlyArray<string>): Count {
    return this.#cells.of(values)
  }

  samples(): ReadonlyArray<string> {
    return [...this.#cells.all()].map(([labels, { value }]) => sample(this.name, labels, value))
  }
}

/** How many values fell under each bound. */
export class Distribution {
  readonly #bounds: ReadonlyArray<number>
  readonly #counts: Array<number>
  #sum = 0

  constructor(bounds: ReadonlyArray<number>) {
    this.#bounds = bounds
    this.#counts = [...bounds, 0].fill(0)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let index = 0
    while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#sum += value
  }

  samples(name: string, labels: string): ReadonlyArray<string> {
    const and = labels === "" ? "" : `${labels},`
    let total = 0
    const buckets = this.#counts.map((count, index) => {
      total += count
      return sample(`${name}_bucket`, `${and}le="${this.#bounds[index] ?? "+Inf"}"`, total)
    })
    return [...buckets, sample(`${name}_sum`, labels, this.#sum), sample(`${name}_count`, labels, total)]
  }
}

export class Histogram implements Family {
  readonly type = "histogram"
  readonly name: string
  readonly help: string
  readonly #cells: Cells<Distribution>

  /** `bounds` ascend; the last bucket, without a bound, is added. */
  constructor(name: string, help: string, bounds: ReadonlyArray<number>, labels: ReadonlyArray<string> = []) {
    this.name = name
    this.help = help
    this.#cells = new Cells(labels, () => new Distribution(bounds))
  }

  cell(...values: ReadonlyArray<string>): Distribution {
    return this.#cells.of(values)
  }

  samples(): ReadonlyArray<string> {
    return [...this.#cells.all()].flatMap(([labels, cell]) => cell.samples(this.name, labels))
  }
}

/** Values that are known when somebody asks. `values` are by the values of the one label, or one number without a label. */
export const reading = (
  type: "gauge" | "counter",
  name: string,
  help: string,
  values: number | { readonly label: string; readonly of: Readonly<Record<string, number>> },
): Family => ({
  type,
  name,
  help,
  samples: () =>
    typeof values === "number"
      ? [sample(name, "", values)]
      : Object.entries(values.of).map(([key, value]) => sample(name, labelled([values.label], [key]), value)),
})

export const exposition = (families: Iterable<Family>): string => {
  const lines: Array<string> = []
  for (const family of families) {
    const help = family.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
    lines.push(`# HELP ${family.name} ${help}`, `# TYPE ${family.name} ${family.type}`, ...family.samples())
  }
  return `${lines.join("\n")}\n`
}
