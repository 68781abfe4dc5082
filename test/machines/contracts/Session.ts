/** A session under random contracts: the engine's state and the plain history, side by side. */

import {
  type ContractCall,
  type ContractEvent,
  type ContractRules,
  type ContractState,
  compileContracts,
  evolve,
  initialContractState,
  judge,
  type Verdict,
} from "../../../src/machines/contracts/index.ts"
import type { ToolContract } from "../../../src/machines/definition.ts"
import type { Json } from "../../../src/machines/ids.ts"
import type { Happening } from "./arbitraries.ts"
import type { ContractsJson, Entry, PlainCall, PlainOptions, ToolJson } from "./plainReading.ts"

const toJson = (value: unknown): Json => JSON.parse(JSON.stringify(value))

const contractOf = ({ tool, side_effect, estimate, ...rest }: ToolJson): ToolContract => ({
  tool,
  sideEffect: side_effect as ToolContract["sideEffect"],
  evidenceClass: "ack_only",
  resources: [],
  estimate,
  timeoutMs: null,
  rest: toJson(rest) as ToolContract["rest"],
})

export const rulesOf = ({ session, tools, defaultCost }: ContractsJson): ContractRules =>
  compileContracts(
    { schema_version: "1.0", agent: "agent", ...(toJson(session) as object) },
    tools.map(contractOf),
    defaultCost,
  )

export const callOf = ({ tool, args, estimate }: PlainCall): ContractCall => ({
  tool,
  arguments: args,
  ...(estimate === undefined ? {} : { estimatedCost: estimate }),
})

/** A verdict as the plain reading writes it. */
export const written = (verdict: Verdict): ReadonlyArray<string> =>
  verdict.allowed ? [] : verdict.failures.map(({ code, path, operator }) => `${code} ${path} ${operator}`)

export class Session {
  readonly rules: ContractRules
  state: ContractState
  readonly history: Array<Entry> = []
  readonly #ids: Array<string> = []

  constructor(contracts: ContractsJson) {
    this.rules = rulesOf(contracts)
    this.state = initialContractState(this.rules)
  }

  judge(calls: ReadonlyArray<PlainCall>, options: PlainOptions): ReadonlyArray<Verdict> {
    return judge(this.rules, this.state, calls.map(callOf), options)
  }

  happens(happening: Happening, options: PlainOptions): void {
    if (happening.what === "usage") this.#tell(happening, { type: "usage", cost: happening.cost })
    else if (happening.what === "answer") this.#answer(happening, options)
    else {
      const id = this.#ids[happening.pick % Math.max(1, this.#ids.length)]
      if (id === undefined) return
      if (happening.what === "again") {
        // An id names one call: who tells of it again tells the same.
        const entry = this.history.find((each) => each.what === "admitted" && each.id === id)
        const isOpen = this.state.unresolved.some((step) => step.stepId === id)
        if (entry?.what === "admitted" && isOpen)
          this.#admit(id, { tool: entry.tool, args: null, estimate: entry.estimate })
        return
      }
      const { as, output, actual, threw } = happening
      if (as === "committed") {
        const told = { type: as, stepId: id, ...(actual === undefined ? {} : { actualCost: actual }) }
        this.#tell({ what: as, id, output, actual }, output === undefined ? told : { ...told, output })
      } else this.#tell({ what: as, id, threw }, { type: as, stepId: id, threw })
    }
  }

  #answer({ calls, admit }: Extract<Happening, { what: "answer" }>, options: PlainOptions): void {
    const verdicts = this.judge(calls, options)
    this.state = evolve(this.rules, this.state, { type: "judged", calls: verdicts })
    calls.forEach(({ tool, args }, index) => {
      this.history.push({ what: "judged", tool, args, allowed: verdicts[index]?.allowed === true })
    })
    calls.forEach((call, index) => {
      if (admit === "none" || (admit === "allowed" && verdicts[index]?.allowed !== true)) return
      const id = `step-${this.#ids.length}`
      this.#ids.push(id)
      this.#admit(id, call)
    })
  }

  #admit(id: string, { tool, estimate }: PlainCall): void {
    const told = { type: "admitted", stepId: id, tool } as const
    this.#tell(
      { what: "admitted", id, tool, estimate },
      estimate === undefined ? told : { ...told, estimatedCost: estimate },
    )
  }

  #tell(entry: Entry, event: ContractEvent): void {
    this.history.push(entry)
    this.state = evolve(this.rules, this.state, event)
  }
}
