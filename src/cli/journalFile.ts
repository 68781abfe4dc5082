/**
 * The file that `export` writes and `import` reads: one workflow's journal as lines of JSON.
 *
 * A header with the definition; a line an event, whose text is in it byte for byte, so that its hash can be computed again; the
 * remembered answers of idempotency keys; and a last line with counts and the sha256 of everything before it, so that a file
 * that was cut or changed is told from a whole one. A reader trusts nothing: hashes, shapes, order and the fold are checked.
 */
import { Exit, Schema } from "effect"
import { canonicalJson, fromArtifact, makeRules, sha256Hex } from "../definition/index.ts"
import { EventBody, type JournalEvent } from "../machines/events.ts"
import { birth, evolve } from "../machines/evolve/index.ts"
import { Count, IdempotencyKey, WorkflowId } from "../machines/ids.ts"
import type { AnswerRow, Projection } from "../machines/projection.ts"
import type { Rules } from "../machines/rules.ts"
import { takeSnapshot } from "../machines/snapshot.ts"
import type { State } from "../machines/state.ts"
import { type Append, type Entry, genesisHash, type StoredDefinition } from "../runtime/Journal.ts"
import { CommandError } from "./Command.ts"

const format = "handrail.journal"
const formatVersion = 1

const Hash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))
const Header = Schema.Struct({
  format: Schema.Literal(format),
  version: Schema.Int,
  workflow_id: WorkflowId,
  exported_at: Schema.Int,
  definition_hash: Hash,
  definition: Schema.Json,
})
const Event = Schema.Struct({
  seq: Count,
  at: Schema.Int,
  actor: Schema.String,
  key: Schema.optionalKey(IdempotencyKey),
  body: EventBody,
})
const Answer = Schema.Struct({
  answer: Schema.Struct({ key: IdempotencyKey, fingerprint: Schema.String, answer: Schema.Json }),
})
const Footer = Schema.Struct({ events: Count, answers: Count, head: Hash, sha256: Hash })

// ---- writing ----

export const headerLine = (workflowId: string, { hash, text }: StoredDefinition, exportedAt: number): string =>
  `{"format":"${format}","version":${formatVersion},"workflow_id":${JSON.stringify(workflowId)},` +
  `"exported_at":${exportedAt},"definition_hash":"${hash}","definition":${text}}`

export const entryLine = ({ seq, hash, text }: Entry): string => `{"seq":${seq},"hash":"${hash}","event":${text}}`

export const answerLine = (answer: AnswerRow): string => JSON.stringify({ answer })

export const footerLine = (events: number, answers: number, head: string, sha256: string): string =>
  JSON.stringify({ events, answers, head, sha256 })

// ---- reading ----

/** What is kept of a file while it is read; more is refused, because it is written in one piece. */
export const importBounds = { bytes: 256 * 1024 * 1024, events: 1_000_000 } as const

const entryForm = /^\{"seq":(\d{1,16}),"hash":"([0-9a-f]{64})","event":(\{.*\})\}$/s

const decodeHeader = Schema.decodeUnknownExit(Header, { onExcessProperty: "error" })
const decodeEvent = Schema.decodeUnknownExit(Event)
const decodeAnswer = Schema.decodeUnknownExit(Answer)
const decodeFooter = Schema.decodeUnknownExit(Footer, { onExcessProperty: "error" })

/** Reads one file, line by line. Throws `CommandError` at the first line that is not what was written. */
export class JournalFileReader {
  readonly #entries: Array<Entry> = []
  readonly #projections: Array<Projection> = []
  readonly #answers: Array<Projection> = []
  #line = 0
  #workflowId: WorkflowId | undefined
  #definition: StoredDefinition | undefined
  #rules: Rules | undefined
  #state: State | undefined
  #head = genesisHash
  #isWhole = false

  /** `sha256` is that of all lines before this one, each with its end. */
  line(text: string, sha256: () => string): void {
    this.#line += 1
    if (this.#isWhole) throw this.#wrong("there is something after the last line")
    if (this.#rules === undefined) this.#header(text)
    else if (text.startsWith('{"seq":')) this.#entry(text, this.#rules)
    else if (text.startsWith('{"answer":')) this.#answer(text)
    else this.#footer(text, sha256())
  }

  /** Once every line was read: what is to be appended, in one piece. */
  finish(): Omit<Append, "tenant"> {
    const last = this.#entries.at(-1)
    if (!this.#isWhole || last === undefined || this.#state === undefined)
      throw invalid("the file ends too early: its last line is missing")
    if (this.#workflowId === undefined || this.#definition === undefined) throw invalid("the file has no header")
    const wakeAt: Projection = { _tag: "wakeAt", at: this.#state.deadlines.earliest(this.#state)?.at ?? null }
    return {
      workflowId: this.#workflowId,
      expectedSeq: 0,
      entries: this.#entries,
      projections: [...this.#projections, ...this.#answers, wakeAt],
      definition: this.#definition,
      snapshot: { seq: last.seq, hash: last.hash, text: JSON.stringify(takeSnapshot(this.#state)) },
    }
  }

  #header(text: string): void {
    const header = this.#decoded(decodeHeader, text, "it is not the header of an export")
    if (header.version !== formatVersion)
      throw this.#wrong(`it has version ${header.version} of the format, and this Handrail reads ${formatVersion}`)
    const artifact = { hash: header.definition_hash, definition: header.definition }
    const compiled = fromArtifact(artifact)
    if (!compiled.ok) throw this.#wrong(`its definition: ${compiled.diagnostics[0]?.message ?? "is not valid"}`)
    this.#workflowId = header.workflow_id
    this.#definition = { hash: header.definition_hash, text: canonicalJson(header.definition) }
    this.#rules = makeRules(compiled.artifact)
  }

  #entry(line: string, rules: Rules): void {
    const [, seqText, hash, text] = entryForm.exec(line) ?? []
    if (seqText === undefined || hash === undefined || text === undefined) throw this.#wrong("it is no event")
    const seq = Number(seqText)
    if (seq !== this.#entries.length + 1) throw this.#wrong(`event ${this.#entries.length + 1} is missing`)
    if (seq > importBounds.events) throw tooLarge(`more than ${importBounds.events} events`)
    if (this.#answers.length > 0) throw this.#wrong("an event comes after the answers")
    if (sha256Hex(this.#head + text) !== hash) throw this.#wrong(`event ${seq} does not fit the hash chain`)
    const event: JournalEvent = this.#decoded(decodeEvent, text, `event ${seq} has another shape`)
    if (event.seq !== seq) throw this.#wrong(`event ${seq} says that it is event ${event.seq}`)
    try {
      this.#state ??= birth(event, rules)
      if (this.#state.workflowId !== this.#workflowId) throw new Error("it is of another workflow")
      evolve(this.#state, event, this.#projections)
    } catch (cause) {
      throw this.#wrong(`event ${seq} does not follow: ${cause instanceof Error ? cause.message : "unknown"}`)
    }
    this.#head = hash
    this.#entries.push({ seq, text, hash })
  }

  #answer(text: string): void {
    const { answer } = this.#decoded(decodeAnswer, text, "it is no answer")
    this.#answers.push({ _tag: "answered", row: answer })
  }

  #footer(text: string, sha256: string): void {
    const footer = this.#decoded(decodeFooter, text, "it is neither an event nor the last line")
    if (footer.events !== this.#entries.length || footer.answers !== this.#answers.length || footer.head !== this.#head)
      throw this.#wrong("it counts other events than there are")
    if (footer.sha256 !== sha256) throw this.#wrong("the file was changed after it was written")
    this.#isWhole = true
  }

  #decoded<A>(decode: (value: unknown) => Exit.Exit<A, unknown>, text: string, what: string): A {
    try {
      const exit = decode(JSON.parse(text))
      if (Exit.isSuccess(exit)) return exit.value
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
    throw this.#wrong(what)
  }

  #wrong(what: string): CommandError {
    return invalid(`line ${this.#line}: ${what}`)
  }
}

const invalid = (what: string): CommandError =>
  new CommandError(
    "export_invalid",
    `This is no whole export of a workflow: ${what}.`,
    "Nothing was imported; export it again.",
  )

export const tooLarge = (what: string): CommandError =>
  new CommandError("payload_too_large", `The export has ${what}.`, "Move its store as a whole instead.")
