/** What must not be: an invariant that is broken, an answer that is wrong or never comes, a defect. */
export class Violation extends Error {
  /** The invariant (`I1` to `I13`), or what else is demanded: `durable`, `order`, `liveness`, `answered`, `defect`, …. */
  readonly rule: string

  constructor(rule: string, detail: string) {
    super(detail)
    this.name = "Violation"
    this.rule = rule
  }
}
