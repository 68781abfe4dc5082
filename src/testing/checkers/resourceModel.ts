/**
 * One resource as a sequential thing, in each of the three modes (semantics.md §6).
 *
 * A fencing token is the last one plus one, and never comes twice; a refusal is right only while somebody holds what was asked
 * for; a queue is served in its order. Steps of proposals without an answer are in it without a name (`?`), until somebody
 * reads it.
 */

import type { Model } from "./linearizable.ts"
import type { Lives } from "./lives.ts"

export type ResourceMode = "exclusive_pending" | "single_writer" | "serial_only"

interface Held {
  readonly step: string
  readonly session: string
  readonly admitted: boolean
  /** It waits for this resource alone, so that its turn comes as soon as it heads this queue. */
  readonly alone: boolean
  /** It awaits approval, or may: until it is admitted, its time may run out at any moment. */
  readonly fleeting: boolean
}
export interface ResourceState {
  readonly fence: number
  readonly version: number
  readonly owner: string | null
  readonly queue: ReadonlyArray<Held>
}

export interface Take {
  readonly step: string
  /** Undefined in a proposal without an answer. */
  readonly admitted: boolean | undefined
  readonly token: number | undefined
  readonly fleeting: boolean
}
export type ResourceAction =
  | {
      readonly kind: "take"
      readonly session: string
      readonly takes: ReadonlyArray<Take>
      readonly alone: boolean
    }
  /** `holder` is the first step on it, `owner` its owner, where the refusal named them. */
  | {
      readonly kind: "refused"
      readonly session: string
      readonly holder: string | undefined
      readonly owner: string | undefined
    }
  | {
      readonly kind: "resolve"
      readonly step: string
      readonly session: string | undefined
      readonly committed: boolean
      /** The step's proposal had an answer; one that did not is in the queue without a name. */
      readonly named: boolean
    }
  | { readonly kind: "release"; readonly session: string }
  /** A claim moved it from parent to child. */
  | { readonly kind: "moved"; readonly from: string; readonly to: string; readonly token: number | undefined }
  | { readonly kind: "read"; readonly seen: Seen | null }

export interface Seen {
  readonly fence: number
  readonly version: number
  readonly owner: string | null
  readonly steps: ReadonlyArray<{ readonly step: string; readonly session: string; readonly admitted: boolean }>
}

type Next = ReadonlyArray<ResourceState>
const none: Next = []

const isNameless = (step: string): boolean => step.startsWith("?")

export const resourceModel = (mode: ResourceMode, lives: Lives): Model<ResourceState, ResourceAction> => ({
  init: { fence: 0, version: 0, owner: null, queue: [] },
  key: ({ fence, version, owner, queue }) =>
    `${fence} ${version} ${owner ?? ""} ${queue.map((one) => `${one.step}${one.admitted ? "" : "*"}`).join()}`,
  step: (state, action) => {
    switch (action.kind) {
      case "take":
        return take(mode, owned(state, action.session), action)
      case "refused":
        return refused(mode, state, action) ? [state] : none
      case "resolve":
        return resolve(state, action)
      case "release": {
        const { owner, queue } = owned(state, action.session)
        return owner === action.session && queue.length === 0 ? [{ ...state, owner: null }] : none
      }
      case "moved":
        return mode === "single_writer" ? moved(state, action) : [state]
      case "read":
        return read(owned(state, action.seen?.owner), action.seen)
    }
  },
  internal: (state) => [...vanishing(state, lives), ...ownerGoes(state, lives), ...laterTurn(mode, state)],
})

/** A proposal without an answer may have been queued elsewhere: where that is possible, both are tried. */
const take = (
  mode: ResourceMode,
  state: ResourceState,
  action: Extract<ResourceAction, { readonly kind: "take" }>,
): Next => {
  const open = action.takes.some((one) => one.admitted === undefined) && !action.alone
  const elsewhere = { ...action, takes: action.takes.map((one) => ({ ...one, admitted: one.admitted ?? false })) }
  return [action, ...(open ? [elsewhere] : [])].flatMap((one) => taken(mode, state, one))
}

const taken = (
  mode: ResourceMode,
  state: ResourceState,
  { session, takes, alone }: Extract<ResourceAction, { readonly kind: "take" }>,
): Next => {
  let { fence, owner } = state
  const queue = [...state.queue]
  for (const { step, admitted, token, fleeting } of takes) {
    if (mode === "single_writer") {
      if (owner !== null && owner !== session) return none
      if (owner === null) fence += 1
      owner = session
      if (token !== undefined && token !== fence) return none
      queue.push({ step, session, admitted: admitted ?? true, alone, fleeting })
      continue
    }
    const free = queue.length === 0
    if (mode === "exclusive_pending" && !free) return none
    // A queued step waits for somebody: here, when this is the only queue that it stands in.
    const now = admitted ?? free
    if (now ? !free : free && alone) return none
    if (now) fence += 1
    if (now && token !== undefined && token !== fence) return none
    queue.push({ step, session, admitted: now, alone, fleeting })
  }
  return [{ ...state, fence, owner, queue }]
}

/** The owner, once somebody has seen who it is. */
const owned = (state: ResourceState, session: string | null | undefined): ResourceState =>
  state.owner !== null && isNameless(state.owner) && typeof session === "string" ? { ...state, owner: session } : state

const moved = (
  state: ResourceState,
  { from, to, token = state.fence + 1 }: Extract<ResourceAction, { readonly kind: "moved" }>,
): Next => {
  // The claim may be a repeat of one that had moved it.
  if (state.owner === to && token <= state.fence) return [state]
  const free = state.queue.length === 0 && (state.owner === null || state.owner === from)
  return free && token === state.fence + 1 ? [{ ...state, fence: token, owner: to }] : none
}

const refused = (
  mode: ResourceMode,
  state: ResourceState,
  { session, holder, owner }: Extract<ResourceAction, { readonly kind: "refused" }>,
): boolean => {
  if (mode === "single_writer")
    return (
      state.owner !== null && state.owner !== session && (owner === undefined || owned(state, owner).owner === owner)
    )
  const first = state.queue[0]
  if (first === undefined) return false
  return holder === undefined || isNameless(first.step) || first.step === holder
}

const resolve = (
  state: ResourceState,
  { step, session, committed, named }: Extract<ResourceAction, { readonly kind: "resolve" }>,
): Next => {
  const at = state.queue.findIndex((one) => one.step === step)
  const held = state.queue[at]
  if (held !== undefined) {
    if (held.admitted || held.alone) return committed && !held.admitted ? none : [without(state, at, committed)]
    // It may have been admitted elsewhere before, which granted a token.
    const granted = without({ ...state, fence: state.fence + 1 }, at, committed)
    return committed ? none : [without(state, at, false), granted]
  }
  // A receipt that repeats what is known changes nothing.
  if (named) return [state]
  const nameless = state.queue.flatMap((one, index) =>
    isNameless(one.step) && (session === undefined || one.session === session) ? [index] : [],
  )
  return [...nameless.map((index) => without(state, index, committed)), state]
}

/** Without one step; the first in line is admitted in the same moment, where it waits for nothing else. */
const without = (state: ResourceState, at: number, committed: boolean): ResourceState => {
  const queue = state.queue.toSpliced(at, 1)
  const version = state.version + (committed ? 1 : 0)
  const first = queue[0]
  if (first === undefined || first.admitted || !first.alone) return { ...state, version, queue }
  return { ...state, version, fence: state.fence + 1, queue: [{ ...first, admitted: true }, ...queue.slice(1)] }
}

const read = (state: ResourceState, seen: Seen | null): Next => {
  if (seen === null) return state.owner === null && state.queue.length === 0 ? [state] : none
  const same = seen.fence === state.fence && seen.version === state.version && seen.owner === state.owner
  if (!same || seen.steps.length !== state.queue.length) return none
  const queue: Array<Held> = []
  for (const [index, held] of state.queue.entries()) {
    const step = seen.steps[index]
    if (step === undefined || step.session !== held.session || step.admitted !== held.admitted) return none
    if (step.step !== held.step && !isNameless(held.step)) return none
    queue.push({ ...held, step: step.step })
  }
  return [{ ...state, queue }]
}

/**
 * A waiting step goes with its session, or with the time that its approval has; an admitted one is an orphan, until somebody or
 * its rule resolves it.
 */
const vanishing = (state: ResourceState, lives: Lives): Next =>
  state.queue.flatMap((held, index) =>
    (held.fleeting && !held.admitted) || lives.mayDie(held.session) ? [without(state, index, false)] : [],
  )

/** To nobody, or back to the parent. */
const ownerGoes = (state: ResourceState, lives: Lives): Next => {
  const { owner } = state
  if (owner === null || state.queue.length > 0 || !lives.mayEnd(owner)) return none
  const parent = lives.parentOf(owner)
  const free = { ...state, owner: null }
  return parent === undefined ? [free] : [free, { ...state, owner: parent, fence: state.fence + 1 }]
}

/** A step that stands in several queues, or awaits approval, is admitted when it has what it waits for elsewhere. */
const laterTurn = (mode: ResourceMode, state: ResourceState): Next => {
  if (mode !== "serial_only") {
    const waiting = state.queue.findIndex((one) => !one.admitted)
    const held = state.queue[waiting]
    if (held === undefined) return none
    const fence = mode === "single_writer" ? state.fence : state.fence + 1
    return [{ ...state, fence, queue: state.queue.with(waiting, { ...held, admitted: true }) }]
  }
  const first = state.queue[0]
  if (first === undefined || first.admitted || first.alone) return none
  return [{ ...state, fence: state.fence + 1, queue: [{ ...first, admitted: true }, ...state.queue.slice(1)] }]
}
