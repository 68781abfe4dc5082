/**
 * Several prepared statements as one message to the server: one round trip and one transaction, all or nothing.
 *
 * The statements are sent with a single Sync behind them. Until a Sync, Postgres runs what it is sent in one implicit
 * transaction, stops at the first error, undoes everything and skips the rest; so a statement that fails on purpose is how a
 * later one is held back. No rows are read.
 */
import type pg from "pg"

export interface Part {
  readonly text: string
  /** In the text form of the wire protocol. */
  readonly values: ReadonlyArray<string>
}

/** Names that a connection has prepared. */
const prepared = new WeakMap<pg.Connection, Set<string>>()

/** What `pg` hands its messages to; its types know only `submit`. */
export class Pipeline implements pg.Submittable {
  readonly #parts: ReadonlyArray<Part>
  readonly #nameOf: ((text: string) => string) | undefined
  readonly #settle: (error: unknown) => void
  #connection: pg.Connection | undefined
  #names = new Set<string>()
  #parsing: Array<string> = []

  /** `settle` is called once: without an error when everything is committed. With `nameOf` the statements are kept for later. */
  constructor(
    parts: ReadonlyArray<Part>,
    nameOf: ((text: string) => string) | undefined,
    settle: (error: unknown) => void,
  ) {
    this.#parts = parts
    this.#nameOf = nameOf
    this.#settle = settle
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection
    this.#names = prepared.get(connection) ?? new Set()
    prepared.set(connection, this.#names)
    connection.on("parseComplete", this.#parsed)
    connection.stream.cork()
    for (const { text, values } of this.#parts) {
      const statement = this.#nameOf?.(text) ?? ""
      if (!this.#names.has(statement)) {
        connection.parse({ name: statement, text, types: [] }, true)
        this.#parsing.push(statement)
      }
      connection.bind({ portal: "", statement, values: [...values] }, true)
      connection.execute({}, true)
    }
    connection.sync()
    connection.stream.uncork()
  }

  /** In the order in which they were sent; what comes after an error is never answered. */
  readonly #parsed = (): void => {
    const name = this.#parsing.shift()
    if (name !== undefined && name !== "") this.#names.add(name)
  }

  #done(error: unknown): void {
    this.#connection?.off("parseComplete", this.#parsed)
    this.#settle(error)
  }

  handleError(error: unknown): void {
    this.#done(error)
  }
  handleReadyForQuery(): void {
    this.#done(undefined)
  }
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(connection: pg.Connection): void {
    connection.end()
  }
  handleCopyData(): void {}
}
