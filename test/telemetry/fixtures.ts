/** A runtime that is watched, a team to work in it, and a reader of what `/metrics` answers. */
import { onTestFinished } from "vitest"
import type { Observability } from "../../src/adapters/telemetry/Observability.ts"
import type { Client } from "../../src/runtime/Client.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"

export const teamYaml = `
schema_version: "1.0"
workflow: team
roles:
  - { name: lead, root: true }
  - { name: dev, limits: { max_cost: 10 } }
handoffs:
  - { from: lead, to: dev, claim_timeout: 60s, offer_timeout: 60s }
limits: { max_cost: 100, max_steps: 100 }
`

export const openWatched = async (
  observability: Observability,
  options: Partial<Parameters<typeof Handrail.open>[0]> = {},
): Promise<Handrail> => {
  const runtime = await Handrail.open({ store: "memory:", ...options, observability })
  onTestFinished(() => runtime.close())
  return runtime
}

export const begin = (client: Client, workflowId = "w1") =>
  client.createRoot({
    agent: "planner",
    workflowId,
    role: "lead",
    definition: teamYaml,
    sessionId: `lead.${workflowId}`,
  })

export interface Metric {
  readonly type: string
  readonly help: string
  /** By its labels as they are written, with the suffix of a histogram's series before them. */
  readonly samples: ReadonlyMap<string, number>
}

/** Reads the exposition line by line, and throws at the first that Prometheus would not take. */
export const parseExposition = (text: string): ReadonlyMap<string, Metric> => {
  const metrics = new Map<string, { type: string; help: string; samples: Map<string, number> }>()
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  let current: { name: string; help: string } | undefined
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-z_][a-z0-9_]*) (\S.*)$/.exec(line)
    if (help !== null) {
      current = { name: help[1] ?? "", help: help[2] ?? "" }
      continue
    }
    const type = /^# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram)$/.exec(line)
    if (type !== null) {
      if (current === undefined || type[1] !== current.name) throw new Error(`TYPE without its HELP: ${line}`)
      if (metrics.has(current.name)) throw new Error(`told twice: ${line}`)
      metrics.set(current.name, { type: type[2] ?? "", help: current.help, samples: new Map() })
      continue
    }
    const sample =
      /^([a-z_][a-z0-9_]*?)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|\+Inf|NaN))$/.exec(
        line,
      )
    const metric = current === undefined ? undefined : metrics.get(current.name)
    if (sample === null || current === undefined || metric === undefined) throw new Error(`no line of metrics: ${line}`)
    const [, name = "", labels = "", value = ""] = sample
    const suffix = name.slice(current.name.length)
    if (!name.startsWith(current.name) || !(metric.type === "histogram" ? /^_(bucket|sum|count)$/ : /^$/).test(suffix))
      throw new Error(`a sample of another metric than ${current.name}: ${line}`)
    const key = `${suffix}{${labels}}`
    if (metric.samples.has(key)) throw new Error(`counted twice: ${line}`)
    metric.samples.set(key, Number(value))
  }
  return metrics
}
