/** One command under watch: counted and measured always, a span where its trace is sampled, a line where it is worth one. */
import type { Tracer } from "effect"
import type { Command } from "../../machines/commands.ts"
import type { WorkflowId } from "../../machines/ids.ts"
import type { WorkflowError } from "../../runtime/errors.ts"
import type { Submission } from "../../runtime/Governance.ts"
import type { Watch } from "../../runtime/Telemetry.ts"
import type { Level, Log } from "./Log.ts"
import { type RuntimeMetrics, type Verdict, verdictOf } from "./RuntimeMetrics.ts"
import type { Tracing } from "./Tracing.ts"

export class CommandWatch implements Watch {
  readonly span: Tracer.Span | undefined
  readonly #command: Command
  readonly #submission: Submission
  readonly #metrics: RuntimeMetrics
  readonly #tracing: Tracing | undefined
  readonly #log: Log | undefined
  readonly #start = performance.now()
  #workflowId: WorkflowId | undefined

  constructor(
    command: Command,
    submission: Submission,
    metrics: RuntimeMetrics,
    tracing: Tracing | undefined,
    log: Log | undefined,
  ) {
    this.#command = command
    this.#submission = submission
    this.#metrics = metrics
    this.#tracing = tracing
    this.#log = log
    this.span = tracing?.start({
      name: `handrail.command ${command._tag}`,
      kind: "internal",
      attributes: { "handrail.command": command._tag, "handrail.tenant": submission.tenant },
    })
  }

  located(workflowId: WorkflowId): void {
    this.#workflowId = workflowId
  }

  settled(error: WorkflowError | undefined, answer: unknown): void {
    const verdict = verdictOf(error)
    const tookMs = performance.now() - this.#start
    const cells = this.#metrics.command(this.#command._tag)
    cells[verdict].value += 1
    cells.duration.observe(tookMs / 1000)
    if (error !== undefined) this.#metrics.refusal(error.code)
    if (this.span !== undefined) this.#endSpan(this.span, verdict, error, answer)
    if (this.#log !== undefined) this.#line(this.#log, verdict, error, answer, tookMs)
  }

  #endSpan(span: Tracer.Span, verdict: Verdict, error: WorkflowError | undefined, answer: unknown): void {
    const sessionId = sessionOf(this.#command, answer)
    span.attribute("handrail.verdict", verdict)
    if (error !== undefined) span.attribute("handrail.code", error.code)
    if (this.#workflowId !== undefined) span.attribute("handrail.workflow_id", this.#workflowId)
    if (sessionId !== undefined) span.attribute("handrail.session_id", sessionId)
    // A refusal is an ordinary answer: a trace is in error where Handrail is.
    this.#tracing?.end(span, verdict === "failed" ? error?.code : undefined)
  }

  /** An operator's act is always told; of the others what failed, and the rest to whoever wants to know everything. */
  #line(log: Log, verdict: Verdict, error: WorkflowError | undefined, answer: unknown, tookMs: number): void {
    const { actor, tenant } = this.#submission
    const isOperator = actor.startsWith("operator:")
    const level: Level = verdict === "failed" ? "warn" : isOperator ? "info" : "debug"
    if (!log.wants(level)) return
    const fields = {
      command: this.#command._tag,
      verdict,
      code: error?.code,
      tenant,
      workflowId: this.#workflowId,
      sessionId: sessionOf(this.#command, answer),
      actor,
      durationMs: Math.round(tookMs * 1000) / 1000,
      traceId: this.span?.traceId,
      spanId: this.span?.spanId,
    }
    const message = isOperator ? "operator command" : "command"
    if (verdict === "failed" && !isOperator) log.seldom(`command ${error?.code}`, level, message, fields)
    else log.line(level, message, fields)
  }
}

/** Of the command, or of the answer where the command has made it. */
const sessionOf = (command: Command, answer: unknown): string | undefined => {
  if ("sessionId" in command && command.sessionId !== undefined) return command.sessionId
  const opened = typeof answer === "object" && answer !== null && "sessionId" in answer ? answer.sessionId : undefined
  return typeof opened === "string" ? opened : undefined
}
