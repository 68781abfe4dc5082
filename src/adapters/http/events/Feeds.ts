/** The feeds of the workflows that somebody reads at the moment. */
import type { Tenant, WorkflowId } from "../../../machines/ids.ts"
import type { EmbeddedClient } from "../../../runtime/EmbeddedClient.ts"
import { Feed } from "./Feed.ts"

export class Feeds {
  readonly #host: EmbeddedClient["host"]
  readonly #feeds = new Map<string, Feed>()

  constructor(host: EmbeddedClient["host"]) {
    this.#host = host
  }

  get size(): number {
    return this.#feeds.size
  }

  /** The workflow's feed, joined. `head` is a sequence that the caller has just been told of. */
  join(tenant: Tenant, workflowId: WorkflowId, head: number): Feed {
    const key = `${tenant}\u0000${workflowId}`
    let feed = this.#feeds.get(key)
    if (feed === undefined) {
      feed = new Feed(this.#host, tenant, workflowId, head, () => this.#feeds.delete(key))
      this.#feeds.set(key, feed)
    }
    feed.join()
    return feed
  }
}
