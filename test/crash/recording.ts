/**
 * A history across processes: each process says what it asked and was told, with the machine's monotonic clock, which all
 * processes read alike. The stamps enclose the call, and are taken before a line is written: a process that is killed or stopped
 * in between makes an interval longer, never shorter.
 */
import { plainAnswer, type Recorded, recordRefusal } from "../../src/testing/checkers/history.ts"
import type { AgentProcess } from "./AgentProcess.ts"
import { codeOf, type Line } from "./lines.ts"
import type { Asked } from "./Race.ts"

const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** Codes that tell of a bug, or of a store that is not what was written. */
const impossible = ["internal", "storage_corrupt", "idempotency_mismatch", "invalid_request", "invalid_definition"]

/** The side of the process that works. */
export class Recording {
  readonly #say: (line: Line) => void
  #n = 0

  constructor(say: (line: Line) => void) {
    this.#say = say
  }

  async call(asked: Asked, run: () => Promise<object>): Promise<object> {
    this.#n += 1
    const n = this.#n
    const { command } = asked
    const call = monotonicMs()
    if (command === "getWorkflow" || command === "getHandoff") this.#say({ t: "read", n, ...asked, command, call })
    else this.#say({ t: "sent", n, ...asked, command, call })
    try {
      const answer = await run()
      this.#say({ t: "ok", n, answer: plainAnswer(answer), at: monotonicMs() })
      return answer
    } catch (error) {
      const at = monotonicMs()
      const code = codeOf(error)
      if (code === undefined || impossible.includes(code))
        this.#say({ t: "bug", n, text: `${command} ${JSON.stringify(asked.input)}: ${String(error)}` })
      else this.#say({ t: "no", n, code, at, facts: Reflect.get(Object(error), "facts") })
      throw error
    }
  }
}

/** The side of the judge: what all processes said, as one history in epoch ms. */
export const historyOf = (agents: ReadonlyArray<AgentProcess>): ReadonlyArray<Recorded> => {
  const epoch = Date.now() - monotonicMs()
  return agents.flatMap((agent, index) => {
    const recorded = new Map<number, Recorded>()
    for (const line of agent.lines) {
      if (line.t === "sent" || line.t === "read") {
        const { n, workflowId, command, input, key, call = 0 } = line
        recorded.set(n, {
          process: `process ${index}`,
          workflowId,
          command,
          input,
          ...(key === undefined ? {} : { key }),
          call: call + epoch,
          return: Number.POSITIVE_INFINITY,
          outcome: undefined,
        })
      }
      const asked = line.t === "ok" || line.t === "no" ? recorded.get(line.n) : undefined
      if (asked === undefined) continue
      if (line.t === "ok")
        recorded.set(line.n, { ...asked, return: (line.at ?? 0) + epoch, outcome: { ok: true, answer: line.answer } })
      if (line.t === "no") {
        const refused = { code: line.code, facts: line.facts ?? {} }
        recorded.set(line.n, recordRefusal(asked, (line.at ?? 0) + epoch, refused))
      }
    }
    return [...recorded.values()]
  })
}
