/**
 * The process in which the peers run: measures one slice for each request of the benchmarks (`bench/peers.ts`) with the same
 * closed loop as everything else, on a new installation of the peer in an empty schema.
 */
import type { PeerName, PeerReply, PeerRequest } from "../peerProtocol.ts"
import { concurrent, type Opened } from "../subject.ts"
import { dbosDirect, dbosQueue } from "./dbos.ts"
import { graphileWorker } from "./graphileWorker.ts"
import { pgBoss } from "./pgBoss.ts"

const peers: Readonly<Record<PeerName, (request: PeerRequest) => Promise<Opened>>> = {
  pg_boss: pgBoss,
  graphile_worker: graphileWorker,
  dbos_queue: dbosQueue,
  dbos_direct: dbosDirect,
}

process.on("message", (request: PeerRequest) => {
  void measure(request).then((reply) => process.send?.(reply))
})

async function measure(request: PeerRequest): Promise<PeerReply> {
  const { peer, clients, seconds } = request
  try {
    return { sample: await concurrent(peers[peer](request), { workflows: clients, seconds }) }
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
