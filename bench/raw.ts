/**
 * Floors below any design: what the disk, the event loop and a state machine cost when nothing is built on them.
 * Each takes the length of the measured slice in seconds and warms up first.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { assign, initialTransition, setup, transition } from "xstate"
import { type Sample, throughput, throughputAsync } from "./measure.ts"

/** 200 bytes appended to a growing file, each on disk before the next: `appends_per_s`. */
export function appendAndSync(dir: string, seconds: number): Sample {
  const file = openSync(join(dir, "append.log"), "a")
  const record = Buffer.alloc(200, "x")
  try {
    const appends_per_s = throughput(seconds, () => {
      writeSync(file, record)
      fdatasyncSync(file)
      return 1
    })
    return { appends_per_s }
  } finally {
    closeSync(file)
  }
}

/** What `n` askers who wait for the same `setImmediate` get: `round_trips_per_s`. The floor of any mailbox. */
export async function promiseRoundTrips(asking: number, seconds: number): Promise<Sample> {
  const mailbox = createMailbox()
  const round_trips_per_s = await throughputAsync(seconds, async () => {
    if (asking === 1) await mailbox()
    else await Promise.all(Array.from({ length: asking }, mailbox))
    return asking
  })
  return { round_trips_per_s }
}

/** A mailbox that does nothing: all who ask before the next turn of the loop are answered in it, together. */
export function createMailbox(): () => Promise<void> {
  let waiting: (() => void)[] = []
  const drain = (): void => {
    const answered = waiting
    waiting = []
    for (const answer of answered) answer()
  }
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length === 1) setImmediate(drain)
    })
}

interface Handoff {
  readonly owner: number
  readonly fence: number
  readonly budget: number
}

type HandoffEvent =
  | { readonly type: "claim"; readonly owner: number }
  | { readonly type: "step"; readonly owner: number; readonly fence: number; readonly cost: number }
  | { readonly type: "done"; readonly owner: number; readonly fence: number }

const offered: Handoff = { owner: 0, fence: 0, budget: 100 }
const script: readonly HandoffEvent[] = [
  { type: "claim", owner: 7 },
  { type: "step", owner: 7, fence: 1, cost: 1 },
  { type: "done", owner: 7, fence: 1 },
]

const machine = setup({
  types: {} as { context: Handoff; events: HandoffEvent },
  guards: {
    holds: ({ context, event }) =>
      event.type !== "claim" && event.owner === context.owner && event.fence === context.fence,
    affords: ({ context, event }) =>
      event.type === "step" &&
      event.owner === context.owner &&
      event.fence === context.fence &&
      event.cost <= context.budget,
  },
  actions: {
    take: assign(({ context, event }) =>
      event.type === "claim" ? { owner: event.owner, fence: context.fence + 1 } : {},
    ),
    spend: assign(({ context, event }) => (event.type === "step" ? { budget: context.budget - event.cost } : {})),
  },
}).createMachine({
  context: offered,
  initial: "offered",
  states: {
    offered: { on: { claim: { target: "claimed", actions: "take" } } },
    claimed: {
      on: { step: { guard: "affords", actions: "spend" }, done: { guard: "holds", target: "completed" } },
    },
    completed: { type: "final" },
  },
})

/** XState's pure `transition` through claim, step, done: `transitions_per_s`. */
export function xstateTransitions(seconds: number): Sample {
  const [start] = initialTransition(machine)
  const transitions_per_s = throughput(seconds, () => {
    let snapshot = start
    for (const event of script) snapshot = transition(machine, snapshot, event)[0]
    if (snapshot.value !== "completed") throw new Error("the machine did not reach its end")
    return script.length
  })
  return { transitions_per_s }
}

interface Row {
  readonly guard: (handoff: Handoff, event: HandoffEvent) => boolean
  readonly target: string
  readonly update: (handoff: Handoff, event: HandoffEvent) => Handoff
}

const table = new Map<string, Map<string, Row>>([
  [
    "offered",
    new Map([
      [
        "claim",
        {
          guard: () => true,
          target: "claimed",
          update: (handoff: Handoff, event: HandoffEvent) => ({
            owner: event.owner,
            fence: handoff.fence + 1,
            budget: handoff.budget,
          }),
        },
      ],
    ]),
  ],
  [
    "claimed",
    new Map<string, Row>([
      [
        "step",
        {
          guard: (handoff, event) =>
            event.type === "step" &&
            event.owner === handoff.owner &&
            event.fence === handoff.fence &&
            event.cost <= handoff.budget,
          target: "claimed",
          update: (handoff, event) => ({
            owner: handoff.owner,
            fence: handoff.fence,
            budget: event.type === "step" ? handoff.budget - event.cost : handoff.budget,
          }),
        },
      ],
      [
        "done",
        {
          guard: (handoff, event) =>
            event.type === "done" && event.owner === handoff.owner && event.fence === handoff.fence,
          target: "completed",
          update: (handoff) => handoff,
        },
      ],
    ]),
  ],
])

/** The same script through a lookup table of the same machine: `lookups_per_s`. */
export function tableLookups(seconds: number): Sample {
  const runs = 100 // one look at the clock for 300 lookups: the clock costs about as much as a lookup
  const lookups_per_s = throughput(seconds, () => {
    for (let run = 0; run < runs; run++) {
      let state = "offered"
      let handoff = offered
      for (const event of script) {
        const row = table.get(state)?.get(event.type)
        if (row === undefined || !row.guard(handoff, event)) throw new Error("the table refused its own script")
        state = row.target
        handoff = row.update(handoff, event)
      }
      if (state !== "completed" || handoff.budget !== 99) throw new Error("the table did not reach its end")
    }
    return runs * script.length
  })
  return { lookups_per_s }
}
