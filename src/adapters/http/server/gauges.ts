/** The few figures that the server knows without measuring anything, for Prometheus. */
export interface Figures {
  /** Live actors, commands that wait in the runtime, groups and batches written since the start. */
  readonly actors: number
  readonly waiting: number
  readonly groups: number
  readonly appends: number
  /** Open event streams, workflows that are streamed, requests under way. */
  readonly streams: number
  readonly feeds: number
  readonly requests: number
}

const lines: ReadonlyArray<readonly [name: keyof Figures, metric: string, kind: string, help: string]> = [
  ["actors", "handrail_actors", "gauge", "Live actors."],
  ["waiting", "handrail_waiting_commands", "gauge", "Commands that wait in the runtime."],
  ["groups", "handrail_commit_groups_total", "counter", "Transactions since the start."],
  ["appends", "handrail_commit_batches_total", "counter", "Batches of workflows in them."],
  ["streams", "handrail_event_streams", "gauge", "Open event streams."],
  ["feeds", "handrail_event_feeds", "gauge", "Workflows that are streamed."],
  ["requests", "handrail_http_requests_under_way", "gauge", "Requests that are being answered."],
]

export const gaugesText = (figures: Figures): string =>
  lines
    .map(
      ([name, metric, kind, help]) =>
        `# HELP ${metric} ${help}\n# TYPE ${metric} ${kind}\n${metric} ${figures[name]}\n`,
    )
    .join("")
