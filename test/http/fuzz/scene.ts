/** Workflows for the fuzzer to hit: some of them always alive, and the ids of what is in them. */
import type { EmbeddedClient } from "../../../src/runtime/EmbeddedClient.ts"
import type { Known } from "./values.ts"

const yaml = `
schema_version: "1.0"
workflow: fuzzed
roles:
  - { name: lead, root: true }
  - { name: dev }
handoffs:
  - { from: lead, to: dev }
  - { from: dev, to: dev, completion: any }
resources:
  - { name: env, mode: exclusive_pending }
  - { name: line, mode: serial_only }
  - { name: change, mode: single_writer }
limits: { max_cost: 1000000, max_steps: 100000, max_duration: 24h }
`

export class Scene {
  readonly #runtime: EmbeddedClient
  readonly #lists: ReadonlyMap<string, Array<string>> = new Map([
    ["WorkflowId", ["fuzz-none"]],
    ["SessionId", ["s-none"]],
    ["HandoffId", ["h-none"]],
    ["StepId", ["st-none"]],
    ["KillId", ["k-none"]],
    ["PreparedRequestId", ["p-none"]],
    ["Name", ["lead", "dev", "env", "line", "change", "main"]],
  ])
  #count = 0

  constructor(runtime: EmbeddedClient) {
    this.#runtime = runtime
  }

  get known(): Known {
    return this.#lists
  }
  get sessions(): ReadonlyArray<string> {
    return this.#lists.get("SessionId") ?? []
  }

  /** One more workflow, with something of everything in it; the oldest ids are forgotten. */
  async renew(): Promise<void> {
    this.#count += 1
    const workflowId = `fuzz-${this.#count}`
    const root = await this.#runtime.createRoot({ workflowId, role: "lead", agent: "lead", definition: yaml })
    const [open, held] = [await root.handoff({ toRole: "dev" }), await root.handoff({ toRole: "dev" })]
    const parentSessionId = root.sessionId
    const { handoffId } = held
    const dev = await this.#runtime.claim({ workflowId, handoffId, parentSessionId, role: "dev", agent: "dev" })
    const prepared = await root.preflight({ estimatedCost: 1 })
    const resources = [{ name: "line", key: "main" }]
    const steps = await dev.propose({
      calls: [
        { tool: "a", estimatedCost: 1, resources },
        { tool: "b", estimatedCost: 1, resources },
      ],
    })
    this.#keep("WorkflowId", workflowId)
    this.#keep("SessionId", root.sessionId, dev.sessionId)
    this.#keep("HandoffId", open.handoffId, held.handoffId)
    this.#keep("StepId", ...steps.map((step) => step.stepId))
    this.#keep("PreparedRequestId", prepared.preparedRequestId)
  }

  #keep(kind: string, ...ids: ReadonlyArray<string>): void {
    const list = this.#lists.get(kind) ?? []
    list.push(...ids)
    list.splice(1, Math.max(0, list.length - 6))
  }
}
