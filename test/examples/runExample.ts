/** Runs an example as a person would, in a folder of its own, and reads what it has left behind. */
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { expect, onTestFinished } from "vitest"
import { verify } from "../../src/adapters/kysely/verify.ts"
import { Handrail, type JournalEvent, type WorkflowView } from "../../src/index.ts"
import { newFolder } from "./runDemo.ts"

const examples = fileURLToPath(new URL("../../examples/", import.meta.url))
const typescript = new URL("../../examples/shared/typescript.mjs", import.meta.url).href

/** An example is up to four processes, and machines that test may be busy. */
export const patience = 120_000

export interface Ran {
  readonly stdout: string
  /** Whether the run has left a file. */
  readonly has: (name: string) => boolean
  readonly text: (name: string) => string
  /** The lines of a file of JSON lines; none where it was never written. */
  readonly lines: (name: string) => ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly journal: (workflowId: string) => Promise<Journal>
}

export interface Journal {
  readonly view: WorkflowView
  readonly events: ReadonlyArray<JournalEvent>
}

/** The run has to end well. */
export const runExample = async (name: string, ...args: ReadonlyArray<string>): Promise<Ran> => {
  const folder = newFolder()
  const main = join(examples, name, "main.ts")
  const child = spawn(process.execPath, ["--import", typescript, main, "--out", folder, ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  })
  onTestFinished(() => {
    child.kill("SIGKILL")
  })
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  const code = await new Promise((resolve) => child.once("close", resolve))
  // A warning would be the first thing that a reader of the example sees.
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
  const text = (file: string): string => readFileSync(join(folder, file), "utf8")
  const has = (file: string): boolean => existsSync(join(folder, file))
  const lines: Ran["lines"] = (file) =>
    has(file)
      ? text(file)
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line))
      : []
  return { stdout, has, text, lines, journal: (workflowId) => read(join(folder, "handrail.db"), workflowId) }
}

const read = async (filename: string, workflowId: string): Promise<Journal> => {
  expect((await Effect.runPromise(verify({ filename }))).problems).toEqual([])
  const runtime = await Handrail.open({ store: `sqlite:${filename}` })
  try {
    const view = await runtime.getWorkflow(workflowId)
    const events: Array<JournalEvent> = []
    for await (const event of runtime.events({ workflowId })) {
      events.push(event)
      if (event.seq === view.seq) break
    }
    return { view, events }
  } finally {
    await runtime.close()
  }
}

type Body = JournalEvent["body"]

/** The bodies of one kind of event, in order. */
export const bodies = <T extends Body["_tag"]>(
  { events }: Journal,
  tag: T,
): ReadonlyArray<Extract<Body, { readonly _tag: T }>> =>
  events.flatMap(({ body }) => (isTagged(body, tag) ? [body] : []))

const isTagged = <T extends Body["_tag"]>(body: Body, tag: T): body is Extract<Body, { readonly _tag: T }> =>
  body._tag === tag

/** The tools of all steps that were ever proposed, in order. */
export const proposedTools = (journal: Journal): ReadonlyArray<string> =>
  bodies(journal, "steps.proposed").flatMap(({ steps }) => steps.map(({ tool }) => tool))
