/**
 * What a job queue does not keep and its user writes by hand: one row that says that the job's step was done, with 200 bytes of
 * body as in the floor. Prepared, no index but the key.
 */
import pg from "pg"
import type { PeerRequest } from "../peerProtocol.ts"

export interface Steps {
  record(job: string): Promise<void>
  close(): Promise<void>
}

export async function openSteps({ url, schema }: PeerRequest, max: number): Promise<Steps> {
  const pool = new pg.Pool({ connectionString: url, max })
  await pool.query(`create table ${schema}.steps (job text primary key, body bytea not null)`)
  const text = `insert into ${schema}.steps values ($1, $2)`
  const body = Buffer.alloc(200, "x")
  return {
    record: async (job) => {
      await pool.query({ name: "step", text, values: [job, body] })
    },
    close: () => pool.end(),
  }
}

/** Answers that somebody waits for, by the name of the job. */
export class Waiting {
  readonly #resolvers = new Map<string, () => void>()

  wait(job: string): Promise<void> {
    return new Promise((resolve) => this.#resolvers.set(job, resolve))
  }

  settle(job: string): void {
    this.#resolvers.get(job)?.()
    this.#resolvers.delete(job)
  }
}
