/**
 * What a benchmark is to the frame: two sides that are measured in turn, the figures to show and the targets to meet.
 */
import type { Sample } from "./measure.ts"
import type { Peers } from "./peers.ts"
import type { Postgres } from "./postgres.ts"
import type { Place, Subject } from "./subject.ts"

export type Store = Place["store"]

/** One measured slice in an empty directory of its own. */
export type Slice = (dir: string) => Promise<Sample>

/** The two sides of a benchmark, measured in turn. Without `system` only the floor is measured, and the reverse. */
export interface Pair {
  readonly floor?: Slice
  readonly system?: Slice
  readonly close?: () => Promise<void>
}

export interface Target {
  readonly bound: "at least" | "at most"
  readonly value: number
}

/** A line of the table: a key of the sample, its unit, and the target it must meet by itself. */
export interface Line {
  readonly figure: string
  readonly unit: string
  readonly target?: Target
}

export interface Benchmark {
  readonly name: string
  /** A floor alone is a figure by itself: it has no ratio, and nothing is left out when there is no system. */
  readonly kind: "floor" | "system"
  /** What it runs on, for `--store`; absent where it needs no store. */
  readonly store?: Store
  /** Measured only where this option asks for it: what users would pick instead, and what goes through a socket. */
  readonly needs?: "peers" | "http"
  /** What the ratio compares: system ÷ floor of this figure. */
  readonly headline: Line
  readonly ratioTarget?: Target
  readonly others?: readonly Line[]
  /** Fewer rounds for what is slow to build. */
  readonly maxRounds?: number
  /** Undefined when the subject cannot do it. */
  prepare(context: Context): Promise<Pair | undefined>
}

export interface Context {
  readonly subject: Subject | undefined
  readonly seconds: number
  readonly quick: boolean
  /** The Postgres of this run: started when it is first asked for, and ended with the run. */
  postgres(): Promise<Postgres>
  /** The peers of this run, in a process of their own; likewise. */
  peers(): Promise<Peers>
  /** An empty directory that lives until the benchmark is over. */
  readonly dir: string
}

export const atLeast = (value: number): Target => ({ bound: "at least", value })
export const atMost = (value: number): Target => ({ bound: "at most", value })

/** Both sides, or the floor alone where there is no system. */
export function pair(floorSlice: Slice, system: Slice | undefined): Pair {
  return system === undefined ? { floor: floorSlice } : { floor: floorSlice, system }
}
