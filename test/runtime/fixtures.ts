/** A small team for the tests of the runtime, and short ways to say what they do all the time. */
import { onTestFinished } from "vitest"
import type { Code } from "../../src/machines/refusals.ts"
import type { DefinitionInput } from "../../src/runtime/Client.ts"
import type { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import { WorkflowError } from "../../src/runtime/errors.ts"
import { type Opened, openRuntime, type Place } from "./open.ts"

export const teamYaml = `
schema_version: "1.0"
workflow: team
roles:
  - { name: lead, root: true }
  - { name: dev }
handoffs:
  - { from: lead, to: dev, claim_timeout: 10s, offer_timeout: 60s, summary_schema: { type: object } }
  - { from: dev, to: dev, completion: any }
resources:
  - { name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 5s }
  - { name: line, mode: serial_only }
limits: { max_cost: 1000 }
preflight_timeout: 3s
`

/** A place that is removed, and runtimes that are closed, when the test ends. */
export const placed = (make: () => Place): Place => {
  const place = make()
  onTestFinished(async () => {
    await place.remove()
  })
  return place
}
export const opened = async (...args: Parameters<typeof openRuntime>): Promise<Opened> => {
  const it = await openRuntime(...args)
  onTestFinished(() => it.client.close())
  return it
}

export const createRoot = (client: EmbeddedClient, workflowId = "w1", definition: DefinitionInput = teamYaml) =>
  client.createRoot({ workflowId, role: "lead", agent: "lead", sessionId: `${workflowId}-root`, definition })

export const call = (more: object = {}) => ({ calls: [{ tool: "work", estimatedCost: 1, ...more }] })

/** The typed error that a call was refused with; anything else fails the test. */
export const refusal = async (promise: Promise<unknown>): Promise<WorkflowError> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof WorkflowError) return error
    throw error
  }
  throw new Error("it was not refused")
}
export const codeOf = async (promise: Promise<unknown>): Promise<Code | "ok"> => {
  try {
    await promise
    return "ok"
  } catch (error) {
    if (error instanceof WorkflowError) return error.code
    throw error
  }
}

/** Fails the test where a promise was rejected and nobody heard of it: in a process of its own that is its end. */
export const nothingUnhandled = (): void => {
  const seen: Array<unknown> = []
  const note = (error: unknown) => seen.push(error)
  process.on("unhandledRejection", note)
  process.on("uncaughtException", note)
  onTestFinished(async () => {
    await new Promise<void>((next) => setImmediate(next))
    process.off("unhandledRejection", note)
    process.off("uncaughtException", note)
    if (seen.length > 0) throw new Error(`nobody handled: ${seen.map(String).join("; ")}`)
  })
}

/** Lets whatever is under way get on, until something holds. Bounded by the test's own time, never by a clock. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise<void>((next) => setImmediate(next))
}
