/** Figures that are read when somebody asks: gauges of the runtime, of the server, and of the workflows that are live. */
import type { Effect, Exit } from "effect"
import type { GovernanceService } from "../../runtime/Governance.ts"
import { type Family, reading } from "./exposition.ts"

type Gauges = ReturnType<GovernanceService["gauges"]>
type Survey = Effect.Success<GovernanceService["survey"]>

export interface ServerFigures {
  /** Open event streams, workflows that are streamed, requests under way. */
  readonly streams: number
  readonly feeds: number
  readonly requests: number
}

/** A runtime that can be asked. `EmbeddedClient.host` is one. */
export interface Hosted {
  readonly governance: Pick<GovernanceService, "gauges" | "survey">
  readonly run: <A>(effect: Effect.Effect<A>) => Promise<Exit.Exit<A, unknown>>
}

/** A survey looks at every live workflow, so whoever asks more often than this gets the last one again. */
const freshMs = 1000

export class Surveyor {
  readonly #last = new WeakMap<
    Hosted["governance"],
    { readonly at: number; readonly survey: Promise<Survey | undefined> }
  >()

  /** Undefined where the runtime is closed. */
  look({ governance, run }: Hosted): Promise<Survey | undefined> {
    const last = this.#last.get(governance)
    const now = performance.now()
    if (last !== undefined && now - last.at < freshMs) return last.survey
    const survey = run(governance.survey).then(
      (exit) => (exit._tag === "Success" ? exit.value : undefined),
      () => undefined,
    )
    this.#last.set(governance, { at: now, survey })
    return survey
  }
}

/** By the names that the definition has for limits. */
const limitNames = {
  maxSessions: "max_sessions",
  maxActiveSessions: "max_active_sessions",
  maxSteps: "max_steps",
  maxCost: "max_cost",
  maxTokens: "max_tokens",
  maxOpenHandoffs: "max_open_handoffs",
} as const satisfies Record<keyof Survey["headroom"], string>

export const figuresOf = (
  gauges: Gauges,
  survey: Survey | undefined,
  server: ServerFigures | undefined,
): ReadonlyArray<Family> => [
  reading("gauge", "handrail_actors", "Live actors.", gauges.actors),
  reading("gauge", "handrail_waiting_commands", "Requests that wait in the runtime.", gauges.waiting),
  reading("counter", "handrail_commit_groups_total", "Transactions since the start.", gauges.groups),
  reading("counter", "handrail_commit_batches_total", "Batches of workflows in them.", gauges.appends),
  reading("gauge", "handrail_event_readers", "Readers of events, the server's among them.", gauges.readers),
  ...(survey === undefined ? [] : surveyFamilies(survey)),
  ...(server === undefined ? [] : serverFamilies(server)),
]

const surveyFamilies = (survey: Survey): ReadonlyArray<Family> => {
  const share = (pick: (figures: Survey["headroom"][keyof Survey["headroom"]]) => number) =>
    Object.fromEntries(
      Object.entries(limitNames).map(([key, name]) => [name, pick(survey.headroom[key as keyof typeof limitNames])]),
    )
  return [
    reading("gauge", "handrail_mailbox_deepest", "Requests in the fullest mailbox.", survey.deepestMailbox),
    reading("gauge", "handrail_active_workflows", "Live workflows that have not ended.", survey.activeWorkflows),
    reading("gauge", "handrail_active_sessions", "Active sessions of live workflows.", survey.activeSessions),
    reading("gauge", "handrail_open_handoffs", "Open handoffs of live workflows, by status.", {
      label: "status",
      of: survey.handoffs,
    }),
    reading("gauge", "handrail_open_steps", "Unresolved steps of live workflows, by status; orphaned: by a kill.", {
      label: "status",
      of: survey.steps,
    }),
    reading(
      "gauge",
      "handrail_ledger_lowest_headroom_ratio",
      "The least share of a limit that a live workflow has left.",
      {
        label: "limit",
        of: share(({ lowest }) => lowest),
      },
    ),
    reading("gauge", "handrail_ledger_tight_workflows", "Live workflows with less than a tenth of a limit left.", {
      label: "limit",
      of: share(({ tight }) => tight),
    }),
  ]
}

const serverFamilies = ({ streams, feeds, requests }: ServerFigures): ReadonlyArray<Family> => [
  reading("gauge", "handrail_event_streams", "Open event streams (SSE clients).", streams),
  reading("gauge", "handrail_event_feeds", "Workflows that are streamed.", feeds),
  reading("gauge", "handrail_http_requests_under_way", "Requests that are being answered.", requests),
]
