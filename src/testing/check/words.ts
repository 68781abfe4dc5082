/** What a sighting means, in plain words, and what in the definition would mend it. */
import type { Definition, Edge } from "../../machines/definition.ts"
import { fromMicros } from "../../machines/ids.ts"
import { durationText } from "./durations.ts"
import type { Seen } from "./explore.ts"
import type { FindingKind } from "./report.ts"
import type { Sighting } from "./Watch.ts"

export interface Words {
  readonly text: string
  readonly fix: string | null
}

/** Figures over all runs that some words need. */
export interface Figures {
  readonly goodRuns: number
  /** Decimal money: how far a settled call went past its estimate, and what was spent past a limit. */
  readonly overrun: number
  readonly overshoot: number
}

type Say = (sighting: Sighting, definition: Definition, seen: Seen, figures: Figures) => Words
type Dynamic = Exclude<FindingKind, "never" | "unused" | "incomplete">

export const wordsFor = (seen: Seen, sighting: Sighting, definition: Definition, figures: Figures): Words => {
  const { kind } = sighting
  if (kind === "never" || kind === "unused" || kind === "incomplete") throw new Error(`${kind} is no sighting`)
  return say[kind](sighting, definition, seen, figures)
}

const holders: Readonly<Record<string, string>> = {
  single_writer: "owns it, so nobody else may write",
  serial_only: "stands at the head of its queue, so every later call waits behind it",
  exclusive_pending: "has a call on it that nobody resolved, so every other call is refused",
}

const leaseEnds = "a claim lease ends with the first progress"

/** What ends a wait that nothing else ends. */
const lastResort = (definition: Definition): string =>
  definition.limits.maxDurationMs === null
    ? "Only an operator can end that: the workflow has no max_duration."
    : `Only an operator can end that, or max_duration, which kills the whole workflow after ${longest(definition)}.`

const longest = ({ limits }: Definition): string => durationText(limits.maxDurationMs ?? 0)

const say: Readonly<Record<Dynamic, Say>> = {
  invariant: ({ subject, detail }) => ({
    text: `Handrail itself is broken: ${detail.what} (${subject}). Please report it with this history.`,
    fix: null,
  }),
  held: ({ subject, detail }, definition) => ({
    text:
      `${subject} can stay with a dead ${detail.role} for ever: it ${holders[String(detail.mode)] ?? "holds it"}. ` +
      (detail.other === null ? "" : `Its call also holds ${detail.other}, which says unresolved: hold. `) +
      lastResort(definition),
    fix:
      `give ${detail.other ?? subject} \`unresolved: release\` and a \`pending_timeout\`, if a call on it may be given up; ` +
      "else have somebody resolve it, and allow this",
  }),
  blocked: ({ subject, detail }, definition) => ({
    text:
      `${subject} stays with ${a(detail.role)} whose process died after it had made progress: ` +
      "no lease ends its session any more. " +
      lastResort(definition),
    fix: definition.limits.maxDurationMs === null ? "set `max_duration`" : null,
  }),
  paused: ({ subject, detail }) => ({
    text:
      `Others wait for ${subject} while a dead ${detail.role} still holds it, for ` +
      `${durationText(Number(detail.ms))} at most.`,
    fix: null,
  }),
  stuck: ({ detail }) => ({
    text:
      detail.root === 1
        ? `When the process of ${detail.role} dies and does not come back, the workflow stays open for ever: nothing ends it.`
        : `When ${a(detail.role)} dies after its first committed call, its parent waits for ever: ${leaseEnds}.`,
    fix: "set `max_duration`",
  }),
  waits: ({ detail }, definition) => ({
    text:
      detail.root === 1
        ? `When the process of ${detail.role} dies and does not come back, the workflow stays open until max_duration ` +
          `(${longest(definition)}).`
        : `When ${a(detail.role)} dies after its first committed call, its parent waits until max_duration ` +
          `(${longest(definition)}): ${leaseEnds}.`,
    fix: null,
  }),
  unwatched: ({ detail }, definition) => ({
    text:
      `When ${a(detail.to)} dies right after it claimed work of ${detail.from}, nobody notices: ` +
      "this handoff has no claim_timeout. " +
      lastResort(definition),
    fix: `set \`claim_timeout\` on the handoff from ${detail.from} to ${detail.to}`,
  }),
  endless: ({ detail }) => ({
    text: `A handoff from ${detail.from} to ${detail.to} can be claimed, lost and offered again without end.`,
    fix: "set `max_attempts` on it, or `max_sessions` or `max_duration` of the workflow",
  }),
  overspend: ({ detail }, definition, _seen, { overrun, overshoot }) => {
    const { role, limit, calls } = detail
    const whose = role === null ? "the workflow" : String(role)
    const money = limit === "max_cost" ? ` The furthest that was seen is ${overshoot} past the limit.` : ""
    const what = limit === "max_cost" ? "cost nothing" : "use no tokens"
    return calls === null
      ? {
          text:
            `${String(limit)} of ${whose} can be overshot without bound: a call that is said to ${what} is ` +
            `admitted even when all is spent, and what it really took is recorded afterwards.${money}`,
          fix: `set \`max_steps\`${role === null ? "" : ` of ${role} or of the workflow`}: it bounds how many calls can do that`,
        }
      : {
          text:
            `${String(limit)} of ${whose} can be overshot by calls that are said to ${what}, at most ${calls} of them ` +
            `(max_steps${definition.limits.maxSteps === calls ? "" : " of the roles"}).${money}` +
            (limit === "max_cost" && overrun > 0 ? ` One call went ${overrun} past its estimate.` : ""),
          fix: null,
        }
  },
  limit: ({ subject, detail }, { limits }, { goodRuns }, figures) => {
    if (subject === "max_duration")
      return {
        text: `max_duration (${durationText(limits.maxDurationMs ?? 0)}) can pass: the workflow is then killed.`,
        fix: null,
      }
    const often = figures.goodRuns === 0 ? 0 : Math.round((100 * goodRuns) / figures.goodRuns)
    const good =
      goodRuns === 0 ? "" : `, also when all agents behave well (in ${often < 1 ? "under 1" : often} % of such runs)`
    const whose = detail.role === null ? "" : ` of ${detail.role}`
    return { text: `${detail.limit}${whose} can be reached${good}.`, fix: null }
  },
  starved: ({ detail }) => ({
    text: `${detail.role} can be left with nothing: others use up ${detail.limit} of the workflow before it has done anything.`,
    fix: `give the other roles a \`${detail.limit}\` of their own that leaves something for ${detail.role}`,
  }),
  expires: ({ detail }, definition) => ({
    text:
      `An offer from ${detail.from} to ${detail.to} can expire unclaimed (offer_timeout ` +
      `${timeout(definition, detail, "offerTimeoutMs")}).`,
    fix: null,
  }),
  "times-out": ({ detail }, definition) => ({
    text:
      `${detail.to} can lose its claim on work of ${detail.from} by making no progress in time (claim_timeout ` +
      `${timeout(definition, detail, "claimTimeoutMs")}).`,
    fix: null,
  }),
  attempts: ({ detail }, definition) => ({
    text:
      `A handoff from ${detail.from} to ${detail.to} can use up all its tries and fail (max_attempts ` +
      `${edgeOf(definition, detail)?.maxAttempts ?? ""}).`,
    fix: null,
  }),
}

/** The name of a role with its article. */
const a = (role: string | number | null | undefined): string => `${/^[aeiou]/i.test(String(role)) ? "an" : "a"} ${role}`

const edgeOf = ({ handoffs }: Definition, { from, to }: Sighting["detail"]): Edge | undefined =>
  handoffs.find((edge) => edge.from === from && edge.to === to)

const timeout = (
  definition: Definition,
  detail: Sighting["detail"],
  name: "claimTimeoutMs" | "offerTimeoutMs",
): string => durationText(edgeOf(definition, detail)?.[name] ?? 0)

/** Money of the totals, for people. */
export const decimal = (micros: number): number => fromMicros(Math.max(0, micros))
