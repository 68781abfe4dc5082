/** Runs the real `handrail` command, as a process of its own, and writes the files that it is given. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import { runCli } from "../../src/cli/run.ts"
import { type Streams, Terminal } from "../../src/cli/Terminal.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { root } from "../house/package.ts"

export const main = join(root, "dist", "cli", "main.js")

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface How {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** For node itself, before the script. */
  readonly node?: ReadonlyArray<string>
  /** On standard input. */
  readonly input?: string
}

export const handrail = (
  args: ReadonlyArray<string>,
  { cwd = root, env = {}, node = [], input = "" }: How = {},
): Ran => {
  const { NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [...node, main, ...args], {
    cwd,
    encoding: "utf8",
    input,
    env: { ...inherited, ...env },
    timeout: 60_000,
  })
  return { code: status, out: stdout, err: stderr }
}

/** A directory with these files, gone when the test has finished. */
export const directoryOf = (files: Readonly<Record<string, string>>): string => {
  const directory = mkdtempSync(join(tmpdir(), "handrail-cli-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  return directory
}

/** Nothing about it is dangerous. */
export const saneYaml = `schema_version: "1.0"
workflow: team
roles: [{ name: lead, root: true, default_cost: 0.01 }, { name: dev, default_cost: 0.02 }]
handoffs: [{ from: lead, to: dev, claim_timeout: 1m, offer_timeout: 5m, max_attempts: 3 }]
resources: [{ name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 30s }]
limits: { max_sessions: 20, max_steps: 60, max_cost: 10.00, max_duration: 2h }
`
/** A dead holder keeps `env` for ever. */
export const dangerousYaml = saneYaml.replace(", unresolved: release, pending_timeout: 30s", "")
/** The compiler warns of a role that nothing leads to. */
export const warnedYaml = saneYaml.replace("default_cost: 0.02 }]", "default_cost: 0.02 }, { name: idle }]")
/** Roles are no list, and a key is misspelt. */
export const brokenYaml = `schema_version: "1.0"
workflow: team
roles: lead
limts: { max_steps: 3 }
`

export interface Here {
  readonly env?: Readonly<Record<string, string>>
  readonly isTerminal?: boolean
  /** What the person answers, who is there then. */
  readonly answer?: string
}

class AskedTerminal extends Terminal {
  readonly #answer: string | undefined
  constructor(streams: Streams, answer: string | undefined) {
    super(streams)
    this.#answer = answer
  }
  override get canAsk(): boolean {
    return this.#answer !== undefined
  }
  override async ask(question: string): Promise<string> {
    this.tell(question)
    return this.#answer ?? ""
  }
}

/** The same command in this process: where it matters what it does, and not that it is a process. */
export const here = async (
  args: ReadonlyArray<string>,
  { env = {}, isTerminal = false, answer }: Here = {},
): Promise<Ran> => {
  const written = { out: "", err: "" }
  const stream = (name: "out" | "err") => ({
    isTTY: isTerminal,
    columns: 100,
    rows: 40,
    write: (text: string) => {
      written[name] += text
    },
  })
  const terminal = new AskedTerminal({ stdout: stream("out"), stderr: stream("err"), env }, answer)
  const code = await runCli(args, terminal)
  return { code, ...written }
}

/** A running command, whose output is waited for. */
export class Running {
  readonly #child: ChildProcessWithoutNullStreams
  out = ""
  err = ""
  #waiting: Array<() => void> = []
  /** How it ended. */
  readonly ended: Promise<Ran>

  constructor(args: ReadonlyArray<string>, { cwd = root, env = {} }: How = {}, program: ReadonlyArray<string> = []) {
    const { NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env
    const [file = process.execPath, ...rest] = [
      ...program,
      ...(program.length === 0 ? [process.execPath, main] : []),
      ...args,
    ]
    const child = spawn(file, rest, { cwd, env: { ...inherited, ...env } })
    this.#child = child
    const heard = (name: "out" | "err") => (chunk: Buffer) => {
      this[name] += chunk.toString()
      this.#wake()
    }
    child.stdout.on("data", heard("out"))
    child.stderr.on("data", heard("err"))
    this.ended = new Promise((resolve) =>
      child.once("close", (code) => {
        resolve({ code, out: this.out, err: this.err })
        this.#wake()
      }),
    )
    onTestFinished(() => {
      child.kill("SIGKILL")
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  signal(name: "SIGINT" | "SIGTERM"): void {
    this.#child.kill(name)
  }

  type(text: string): void {
    this.#child.stdin.write(text)
  }

  /** Once this was printed; rejects where it ends without. */
  async printed(form: RegExp, from: "out" | "err" = "out"): Promise<RegExpExecArray> {
    for (;;) {
      const found = form.exec(this[from])
      if (found !== null) return found
      if (this.#child.exitCode !== null)
        throw new Error(`it ended with ${this.#child.exitCode} and without ${form}:\n${this.out}${this.err}`)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** A workflow `wf-1` in the store: lead, a worker on `job-1` with a running step on `document a`, and the offer `job-2`. */
export const seed = async (
  store: string,
  options: { readonly schema?: string } = {},
): Promise<{ readonly stepId: string }> => {
  const runtime = await Handrail.open({ store, ...options })
  try {
    const lead = await runtime.createRoot({
      workflowId: "wf-1",
      sessionId: "lead-1",
      role: "lead",
      agent: "planner",
      definition: teamYaml,
    })
    await lead.handoff({ toRole: "worker", handoffId: "job-1", summary: { task: "write" } })
    await lead.handoff({ toRole: "worker", handoffId: "job-2" })
    const claim = { workflowId: "wf-1", handoffId: "job-1", parentSessionId: "lead-1", role: "worker", agent: "writer" }
    const worker = await runtime.claim({ ...claim, sessionId: "worker-1" })
    const call = { tool: "write", arguments: { document: "a" }, resources: [{ name: "document", key: "a" }] }
    const [step] = await worker.propose({ calls: [call] }, { idempotencyKey: "first-write" })
    return { stepId: step?.stepId ?? "" }
  } finally {
    await runtime.close()
  }
}

/** Of `seed`: leases are long, so that nothing happens by itself. */
export const teamYaml = `schema_version: "1.0"
workflow: team
roles: [{ name: lead, root: true, default_cost: 0.01 }, { name: worker, default_cost: 0.02 }]
handoffs: [{ from: lead, to: worker, claim_timeout: 1h, offer_timeout: 1h, max_attempts: 3 }]
resources: [{ name: document, mode: exclusive_pending }]
limits: { max_sessions: 20, max_steps: 60, max_cost: 10.00, max_duration: 24h }
`
