/** What a working process says on stdout, one JSON line each, written before anything else happens. */

export type Line =
  | { readonly t: "opening" }
  | { readonly t: "open" }
  /** A command is about to be sent. `n` numbers the commands of one process. */
  | {
      readonly t: "sent"
      readonly n: number
      readonly workflowId: string
      readonly command: CommandName
      readonly key?: string
      readonly input: Readonly<Record<string, unknown>>
      /** Milliseconds on the machine's monotonic clock, where a history is recorded. */
      readonly call?: number
    }
  /** A question is about to be asked: no command, but a part of the history. */
  | {
      readonly t: "read"
      readonly n: number
      readonly workflowId: string
      readonly command: "getWorkflow" | "getHandoff"
      readonly key?: string
      readonly input: Readonly<Record<string, unknown>>
      readonly call: number
    }
  /** It was carried out: an acknowledgement, which no crash may take back (I7). */
  | { readonly t: "ok"; readonly n: number; readonly answer: Readonly<Record<string, unknown>>; readonly at?: number }
  | {
      readonly t: "no"
      readonly n: number
      readonly code: string
      readonly at?: number
      readonly facts?: Readonly<Record<string, unknown>>
    }
  /** An error that no caller should ever see. */
  | { readonly t: "bug"; readonly n: number; readonly text: string }
  /** A turn of a scripted process has ended; it waits for the next line on stdin. */
  | { readonly t: "turn"; readonly name: string }
  /** Appends that found their workflow moved on by another process. */
  | { readonly t: "counts"; readonly conflicts: number }
  | { readonly t: "done" }

export type CommandName =
  | "createRoot"
  | "claim"
  | "offer"
  | "preflight"
  | "propose"
  | "receipt"
  | "heartbeat"
  | "release"
  | "complete"
  | "fail"
  | "completeHandoff"
  | "failHandoff"
  | "reclaim"
  | "withdraw"
  | "kill"
  | "resolveStep"
  | "approveStep"
  | "rejectStep"
  | "raiseLimits"

export type Sent = Extract<Line, { readonly t: "sent" }>
export interface Acknowledged extends Sent {
  readonly answer: Readonly<Record<string, unknown>>
}

/** The lines of a piece of text that ends anywhere; what follows the last line break was never fully said. */
export const linesOf = (text: string): ReadonlyArray<Line> =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)

export const acknowledged = (lines: ReadonlyArray<Line>): ReadonlyArray<Acknowledged> => {
  const sent = new Map(lines.flatMap((line) => (line.t === "sent" ? [[line.n, line] as const] : [])))
  return lines.flatMap((line) => {
    const of = line.t === "ok" ? sent.get(line.n) : undefined
    return line.t === "ok" && of !== undefined ? [{ ...of, answer: line.answer }] : []
  })
}

/** The code of a typed error; undefined of anything else. By its form, because an agent runs another copy of the class. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "_tag" in error && error._tag === "WorkflowError" && "code" in error
    ? String(error.code)
    : undefined
