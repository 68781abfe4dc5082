/** A small governed team on disk, and runtimes in memory for it. Everything is taken away when its test ends. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import {
  type Client,
  Handrail,
  type MemoryStore,
  makeMemoryStore,
  type ReplayOptions,
  type ReplaySession,
  replay,
  type Tools,
} from "../../src/index.ts"
import type { EventOf, JournalEvent } from "../../src/machines/events.ts"

export const workflowYaml = `
schema_version: "1.0"
workflow: release
roles:
  - { name: lead, session_contract: ./lead/session.yaml }
  - { name: worker, session_contract: ./worker/session.yaml }
handoffs:
  - { from: lead, to: worker, claim_timeout: 6s, max_attempts: 3 }
resources:
  - { name: environment, mode: exclusive_pending }
  - { name: migration, mode: serial_only }
limits: { max_depth: 2, max_cost: 100 }
`

const contract = (tool: string, more: string) => `tool: ${tool}\ncost: { estimate: 1 }\n${more}\n`

export const files: Readonly<Record<string, string>> = {
  "workflow.yaml": workflowYaml,
  "lead/session.yaml": `schema_version: "1.0"\nagent: lead\nrisk_defaults: { financial: block }\n`,
  "lead/look.yaml": contract("look", "side_effect: read"),
  "lead/pay.yaml": contract("pay", "side_effect: financial"),
  "lead/refund.yaml": contract("refund", "side_effect: financial\ngate: allow"),
  "lead/wipe.yaml": contract("wipe", "side_effect: destructive\ngate: block"),
  "lead/launch.yaml": contract("launch", "side_effect: write\ncheckpoint: true"),
  "lead/transact.yaml": contract("transact", "side_effect: write\nevidence_class: local_transaction"),
  "lead/post.yaml": contract("post", "side_effect: write\nevidence_class: ack_only"),
  "lead/guess.yaml": contract("guess", "side_effect: write\nevidence_class: unverifiable"),
  "lead/hurry.yaml": contract(
    "hurry",
    "side_effect: write\nevidence_class: local_transaction\ntimeouts: { total_ms: 20 }",
  ),
  "lead/migrate.yaml": contract("migrate", "side_effect: write\nresources: [{ name: migration, key: $.database }]"),
  "worker/session.yaml": `schema_version: "1.0"\nagent: worker\n`,
  "worker/deploy.yaml": contract(
    "deploy",
    "side_effect: write\nresources: [{ name: environment, key: $.environment }, { name: migration, key: main }]",
  ),
}

/** Writes the team's files to a folder of its own, some of them changed or left out (null). */
export const governance = (changes: Readonly<Record<string, string | null>> = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-sdk-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries({ ...files, ...changes })) {
    if (text === null) continue
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

export const openRuntime = async (store: MemoryStore = makeMemoryStore()): Promise<Handrail> => {
  const runtime = await Handrail.open({ store })
  onTestFinished(() => runtime.close())
  return runtime
}

type Rest<T extends Tools> = Partial<Omit<ReplayOptions<T>, "tools" | "runtime">>

/** The root session of workflow `w1`, in role lead. */
export const lead = <T extends Tools>(
  runtime: Client,
  folder: string,
  tools: T,
  rest: Rest<T> = {},
): ReplaySession<T> => {
  const session = replay(null, {
    agent: "lead",
    contractsDir: join(folder, "lead"),
    tools,
    workflow: { type: "root", workflowId: "w1", role: "lead" },
    runtime,
    sessionId: "root",
    ...rest,
  })
  onTestFinished(() => session.close())
  return session
}

/** A session in role worker that claims handoff `h1` of the lead. */
export const worker = <T extends Tools>(
  runtime: Client,
  folder: string,
  tools: T,
  rest: Rest<T> = {},
): ReplaySession<T> => {
  const session = replay(null, {
    agent: "worker",
    contractsDir: join(folder, "worker"),
    tools,
    workflow: { type: "child", workflowId: "w1", role: "worker", parentSessionId: "root", handoffId: "h1" },
    runtime,
    ...rest,
  })
  onTestFinished(() => session.close())
  return session
}

export type Body = JournalEvent["body"]

/** Waits for the first event that is asked for, from the workflow's beginning on. */
export const happened = async (runtime: Client, is: (body: Body) => boolean): Promise<JournalEvent> => {
  for await (const event of runtime.events({ workflowId: "w1" })) if (is(event.body)) return event
  throw new Error("the events ended")
}

/** What the journal says of every step, in order: `tool outcome`, late ones marked. */
export const resolutions = async (runtime: Client): Promise<ReadonlyArray<string>> => {
  const { seq } = await runtime.getWorkflow("w1")
  const tools = new Map<string, string>()
  const lines: Array<string> = []
  for await (const event of runtime.events({ workflowId: "w1" })) {
    const { body } = event
    if (body._tag === "steps.proposed") for (const step of body.steps) tools.set(step.stepId, step.tool)
    if (body._tag === "steps.resolved")
      for (const step of body.steps) lines.push(`${tools.get(step.stepId)} ${step.outcome}${body.late ? " late" : ""}`)
    if (event.seq >= seq) break
  }
  return lines
}

export const resolved = async (runtime: Client): Promise<ReadonlyArray<EventOf<"steps.resolved">["steps"][number]>> => {
  const { seq } = await runtime.getWorkflow("w1")
  const all: Array<EventOf<"steps.resolved">["steps"][number]> = []
  for await (const { body, seq: at } of runtime.events({ workflowId: "w1" })) {
    if (body._tag === "steps.resolved") all.push(...body.steps)
    if (at >= seq) break
  }
  return all
}

/** A promise that the test settles by hand, so that nothing has to wait for a time. */
export const gate = <A = void>() => {
  let open: (value: A) => void = () => {}
  const opened = new Promise<A>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** Waits for a signal and throws its reason, as a well-behaved tool does. */
export const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener("abort", stop, { once: true })
  })

/** The error that a promise was rejected with. */
export const errorOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error("it was not rejected")
}
