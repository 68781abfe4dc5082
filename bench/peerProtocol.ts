/**
 * What the benchmarks and the process that runs the peers say to each other. It knows nothing of the peers' packages, which the
 * main install does not have.
 */
import type { Sample } from "./measure.ts"

export const peerNames = ["pg_boss", "graphile_worker", "dbos_queue", "dbos_direct"] as const
export type PeerName = (typeof peerNames)[number]

/** One slice on a new installation of one peer, in an empty schema. */
export interface PeerRequest {
  readonly peer: PeerName
  readonly url: string
  readonly schema: string
  /** How many lifecycles are in flight, always. */
  readonly clients: number
  readonly seconds: number
}

export type PeerReply = { readonly sample: Sample } | { readonly error: string }
