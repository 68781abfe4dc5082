/** What the benchmarks and the processes that load a server say to each other. */
import type { Sample } from "../measure.ts"

/** A server of this machine, and what a client must know of it. */
export interface Address {
  readonly port: number
  /** An API key with the scopes that the load needs. */
  readonly key: string
  /** It answers with what it was sent: ids are made up, and nothing in the answer is looked at. */
  readonly isEcho: boolean
}

/** Lifecycles in a closed loop, one on each connection. */
export interface CommandsOrder {
  readonly kind: "commands"
  readonly address: Address
  readonly connections: number
  readonly seconds: number
}

/** Readers of one workflow's events, which stay until they are told to count. */
export interface ReadersOrder {
  readonly kind: "readers"
  readonly address: Address
  readonly workflowId: string
  readonly after: number
  readonly readers: number
}

/** How many readers got all up to this sequence, and when; they get so long to come to it. */
export interface CountOrder {
  readonly kind: "count"
  readonly last: number
  readonly patienceMs: number
}

export type Order = CommandsOrder | ReadersOrder | CountOrder

export interface Arrivals {
  /** Readers that are still connected and missed nothing. */
  readonly held: number
  /** Sequence → when each reader got it: milliseconds of the clock that all processes share. */
  readonly at: Readonly<Record<string, ReadonlyArray<number>>>
}

export type Report =
  /** The measured window begins: what was before was the warm-up. */
  | { readonly kind: "warm" }
  | { readonly kind: "measured"; readonly sample: Sample; readonly commands: number }
  | { readonly kind: "reading" }
  | { readonly kind: "counted"; readonly arrivals: Arrivals }
  | { readonly kind: "failed"; readonly error: string }

/** Milliseconds since some moment that is the same for every process of this machine. */
export const sharedMs = (): number => Number(process.hrtime.bigint()) / 1e6

export const apiPrefix = "/api/v1/replay"
