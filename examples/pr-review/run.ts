/**
 * One run of the demo: the agent processes, the workflow's events as they come, and the operator's hand where a variant has one.
 *
 * It only starts processes and watches; what the agents may do is decided by the runtime, through the file that they share. So
 * everything that it knows of the review it reads from the journal, as any observer could.
 */
import { setTimeout as sleep } from "node:timers/promises"
import type { Client, JournalEvent, KillReceipt, WorkflowView } from "handrail"
import { AgentProcess, type Exit } from "./agentProcess.ts"
import { type Access, type Assignment, type Behaviour, figuresOf, type Report, type Role, roles } from "./orders.ts"
import type { Picture } from "./picture.ts"
import type { Progress } from "./progress.ts"
import { type Colour, money } from "./terminal.ts"
import type { Timeline } from "./timeline.ts"
import type { Variant } from "./variants.ts"
import { pictureOf } from "./view.ts"

export interface RunOptions {
  readonly folder: string
  readonly store: string
  /** The server that the agents reach; without one each opens the store. */
  readonly server?: Access
  /** A few letters that make the ids of this run its own, in a store that may hold others. */
  readonly suffix: string
  readonly variant: Variant
  readonly change: NonNullable<Assignment["change"]>
  readonly progress: Progress
  readonly timeline: Timeline
}

/** The run can't go on. The message is for whoever started it. */
export class RunError extends Error {
  override readonly name = "RunError"
}

/** Nothing of a run takes this long, on any machine; then something is stuck. */
const longestMs = 180_000
const pollMs = 25

export class Run {
  readonly workflowId: string
  readonly agents: AgentProcess[] = []
  readonly events: JournalEvent[] = []
  readonly kills: KillReceipt[] = []
  readonly #options: RunOptions
  readonly #slain = new Set<AgentProcess>()
  readonly #counts = new Map<Role, number>()
  readonly #tasks: Promise<void>[] = []
  readonly #watchers = new Set<() => void>()
  #runtime: Client | undefined
  #problem: Error | undefined

  constructor(options: RunOptions) {
    this.#options = options
    this.workflowId = `review-${options.suffix}`
  }

  /** The first process. It creates the workflow, and everything else follows from what it does. */
  start(): void {
    this.#start("orchestrator", {}, { change: this.#options.change })
  }

  /** Watches until the workflow and every process have ended. Rejects with `RunError` where one does not end as it should. */
  async toEnd(runtime: Client): Promise<void> {
    this.#runtime = runtime
    const following = this.#follow()
    following.catch((error: unknown) => this.#fail(error))
    await this.until(() => this.workflowEnded && this.agents.every(({ exit }) => exit !== undefined), longestMs)
    await this.until(() => this.#tasks.length === 0, longestMs)
    const { seq } = await this.runtime.getWorkflow(this.workflowId)
    await this.until(() => (this.events.at(-1)?.seq ?? 0) >= seq, longestMs)
  }

  get runtime(): Client {
    if (this.#runtime === undefined) throw new RunError("The run is not being watched yet.")
    return this.#runtime
  }

  get store(): string {
    return this.#options.store
  }

  /** Of the review, as the root session's result says it; undefined where there is none. */
  get verdict(): string | undefined {
    for (const { body } of this.events) {
      if (body._tag !== "session.completed" || body.handoffId !== null) continue
      const { result } = body
      if (typeof result === "object" && result !== null && "verdict" in result) return String(result.verdict)
    }
    return undefined
  }

  get workflowEnded(): boolean {
    return this.events.some(({ body }) => "ends" in body && body.ends !== undefined)
  }

  agent(sessionId: string): AgentProcess | undefined {
    return this.agents.find(({ assignment }) => assignment.sessionId === sessionId)
  }
  agentsIn(role: Role): readonly AgentProcess[] {
    return this.agents.filter(({ assignment }) => assignment.role === role)
  }

  note(who: string, text: string, colour: Colour = "dim", at: number = Date.now()): void {
    const { progress, timeline } = this.#options
    timeline.add(at, () => progress.note(at, who, text, colour))
  }

  /** An act of the operator. The run ends after it, and fails with it. */
  operate(act: () => Promise<void>): void {
    const task = act()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#tasks.splice(this.#tasks.indexOf(task), 1)
        this.#changed()
      })
    this.#tasks.push(task)
  }

  /** Ends a process as a crash would. */
  slay(agent: AgentProcess): void {
    this.#slain.add(agent)
    agent.kill("SIGKILL")
  }

  /** Ends all processes: politely, and then not. */
  async stop(): Promise<void> {
    const running = this.agents.filter(({ exit }) => exit === undefined)
    for (const agent of running) {
      this.#slain.add(agent)
      agent.kill("SIGTERM")
    }
    const ended = Promise.all(running.map((agent) => agent.ended))
    await Promise.race([ended, sleep(2000, undefined, { ref: false })])
    for (const agent of running) if (agent.exit === undefined) agent.kill("SIGKILL")
    await ended
  }

  /** Resolves when the condition holds, looking again after everything that happens. */
  until(holds: () => boolean, ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        this.#watchers.delete(look)
        clearTimeout(timer)
        settle()
      }
      const look = (): void => {
        const problem = this.#problem
        if (problem !== undefined) done(() => reject(problem))
        else if (holds()) done(resolve)
      }
      const late = (): void => done(() => reject(new RunError(this.#stuck(ms))))
      const timer = setTimeout(late, ms)
      this.#watchers.add(look)
      look()
    })
  }

  #stuck(ms: number): string {
    const running = this.agents.filter(({ exit }) => exit === undefined).map(({ name }) => name)
    const who =
      running.length === 0 ? "no process is running any more" : `these are still running: ${running.join(", ")}`
    return `What was waited for did not come within ${ms / 1000} seconds; ${who}.`
  }

  view(): Promise<WorkflowView> {
    return this.runtime.getWorkflow(this.workflowId)
  }

  async picture(): Promise<Picture> {
    return pictureOf(await this.view(), this.events, this.kills)
  }

  async #follow(): Promise<void> {
    const { workflowId } = this
    // The orchestrator creates the workflow when it comes to it; until then there is nothing to follow.
    while (!(await this.#exists())) await sleep(pollMs)
    let at = 0
    for await (const event of this.runtime.events({ workflowId, after: 0 })) {
      this.events.push(event)
      // Two processes may decide at the same moment, but what came first in the journal is told first.
      at = Math.max(at, event.at)
      this.#options.timeline.add(at, () => this.#options.progress.event(event))
      this.#dispatch(event)
      this.#options.variant.onEvent?.(this, event)
      this.#changed()
    }
  }

  async #exists(): Promise<boolean> {
    try {
      await this.view()
      return true
    } catch (error) {
      // By its code, not by its class: that way Handrail is loaded while the first process is starting.
      if (error instanceof Error && "code" in error && error.code === "workflow_not_found") return false
      throw error
    }
  }

  /** Starts whoever is to claim: for every offer, and again for one that was taken back from its claimant. */
  #dispatch({ body }: JournalEvent): void {
    if (body._tag === "handoff.offered") return this.#claimants(body.handoffId, 1)
    if (body._tag === "handoff.reclaimed" && body.status === "offered") this.#claimants(body.handoffId, body.generation)
  }

  #claimants(handoffId: string, generation: number): void {
    for (const { body } of this.events) {
      if (body._tag !== "handoff.offered" || body.handoffId !== handoffId) continue
      const role = roles.find((known) => known === body.toRole)
      if (role === undefined) throw new RunError(`Nobody here fills the role ${body.toRole}.`)
      const handoff = { handoffId, parentSessionId: body.sessionId }
      for (const behaviour of this.#options.variant.claimants?.(role, generation) ?? [{}]) {
        this.#start(role, behaviour, { handoff })
      }
    }
  }

  #start(role: Role, behaviour: Behaviour, more: Pick<Assignment, "change" | "handoff">): void {
    const { folder, server, store, suffix } = this.#options
    const count = (this.#counts.get(role) ?? 0) + 1
    this.#counts.set(role, count)
    const short = role.slice(role.indexOf("-") + 1)
    const agent = role === "orchestrator" ? role : `${short}-${count}`
    const sessionId = `${agent}.${suffix}`
    const { workflowId } = this
    this.agents.push(
      new AgentProcess({ folder, store, workflowId, role, agent, sessionId, behaviour, ...more }, server, {
        onReport: (report, process, at) => this.#reported(report, process, at),
        onExit: (exit, process) => this.#ended(exit, process),
        onError: (line, process) => this.note(process.name, line, "red"),
      }),
    )
    this.note(agent, `process ${this.agents.at(-1)?.pid} is started`)
  }

  #reported(report: Report, agent: AgentProcess, at: number): void {
    const [text, colour] = wordsFor(report)
    if (text !== "") this.note(agent.name, text, colour, at)
    try {
      this.#options.variant.onReport?.(this, agent, report)
    } catch (error) {
      this.#fail(error)
    }
    this.#changed()
  }

  #ended({ code, signal }: Exit, agent: AgentProcess): void {
    const how = signal === null ? `code ${code}` : signal
    if (code !== 0 && !this.#slain.has(agent)) {
      const said = agent.report("failed")
      this.#fail(
        new RunError(said === undefined ? `${agent.name} ended with ${how}.` : `${agent.name}: ${said.message}`),
      )
    }
    this.#changed()
  }

  #fail(error: unknown): void {
    this.#problem ??= error instanceof Error ? error : new Error(String(error))
    this.#changed()
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look()
  }
}

const wordsFor = (report: Report): readonly [text: string, colour: Colour] => {
  switch (report.kind) {
    case "waiting":
      return [report.before === "claim" ? "is ready to claim" : "has claimed, and pauses before its first step", "dim"]
    case "stuck":
      return [`is stuck in part ${report.part}`, "yellow"]
    case "refused": {
      const { max, requested, reserved, used } = figuresOf(report)
      const taken = `${money(used)} used${reserved > 0 ? ` + ${money(reserved)} reserved` : ""}`
      return [`${report.code}: ${taken} + ${money(requested)} requested > ${money(max)}; nothing ran`, "red"]
    }
    case "lost":
      return [
        `lost: ${report.code}, by ${String(report.facts.claimedBy ?? report.facts.sessionId ?? "another")}`,
        "yellow",
      ]
    case "killed":
      return [`stops by itself: ReplayKillError, "${report.reason}"`, "yellow"]
    case "failed":
      return [report.message, "red"]
    default:
      return ["", "dim"]
  }
}
