/** Runs the demo as a person would: real processes, a real store in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { expect, onTestFinished } from "vitest"
import { verify } from "../../src/adapters/kysely/verify.ts"
import { Handrail, type JournalEvent, type WorkflowView } from "../../src/index.ts"

const main = fileURLToPath(new URL("../../examples/pr-review/main.ts", import.meta.url))

export interface Demo {
  readonly child: ChildProcess
  readonly folder: string
  /** What it has printed so far. */
  readonly printed: () => string
  readonly ended: Promise<Ended>
}
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-demo-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const startDemo = (args: readonly string[], cwd: string = newFolder()): Demo => {
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), main, ...args], {
    cwd,
    env: { ...process.env, npm_lifecycle_event: "test" },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })))
  onTestFinished(() => {
    child.kill("SIGKILL")
  })
  return { child, folder: cwd, printed: () => stdout, ended }
}

/** A run with its store in `out`, and what the store says of it afterwards. */
export const runDemo = async (...args: readonly string[]) => {
  const demo = startDemo([...args, "--out", "out"])
  const ended = await demo.ended
  const folder = join(demo.folder, "out")
  const file = (name: string): string => readFileSync(join(folder, name), "utf8")
  return { ...ended, file, ...(await stored(join(folder, "handrail.db"))) }
}

const stored = async (path: string) => {
  // What several processes wrote is one unbroken chain (I9).
  expect((await Effect.runPromise(verify({ filename: path }))).problems).toEqual([])
  const runtime = await Handrail.open({ store: `sqlite:${path}` })
  try {
    const { items } = await runtime.listWorkflows()
    const [row] = items
    if (row === undefined || items.length > 1) throw new Error(`the store holds ${items.length} workflows`)
    const view: WorkflowView = await runtime.getWorkflow(row.workflowId)
    const events: JournalEvent[] = []
    for await (const event of runtime.events({ workflowId: row.workflowId })) {
      events.push(event)
      if (event.seq === view.seq) break
    }
    const { items: handoffs } = await runtime.listHandoffs({ workflowId: row.workflowId })
    return { view, events, handoffs }
  } finally {
    await runtime.close()
  }
}
