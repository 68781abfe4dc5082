/**
 * Renews a claim lease while the claimant has made no progress: every third of the lease, so that two beats may get lost.
 *
 * The lease's length is taken from the runtime's own times, so a clock that differs here does no harm. It beats at once where
 * the session is resumed, because nobody knows how much of the lease is left.
 */
import { isInfrastructure } from "../../runtime/errors.ts"
import { limits } from "../limits.ts"
import type { Life } from "./Life.ts"
import type { SessionLink } from "./SessionLink.ts"

/** What it needs of a session's link. */
export interface BeatingLink extends Pick<SessionLink, "read" | "command"> {
  readonly life: Pick<Life, "onEnd">
}

export class Heartbeats {
  readonly #link: BeatingLink
  readonly #handoffId: string
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(link: BeatingLink, handoffId: string) {
    this.#link = link
    this.#handoffId = handoffId
    link.life.onEnd(() => this.stop())
  }

  start(): void {
    if (this.#isStopped) return
    // What is refused says why to the session's life; there is nobody here to throw it at.
    this.#run().catch((error: unknown) => (isInfrastructure(error) ? this.#later(() => this.start()) : this.stop()))
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  async #run(): Promise<void> {
    const handoff = await this.#link.read((client, workflowId) => client.getHandoff(workflowId, this.#handoffId))
    if (handoff.status !== "claimed" || handoff.deadline === null) return this.stop()
    // The row changed when the lease was granted or last renewed.
    const everyMs = Math.min(limits.timerMs, Math.max(1, Math.floor((handoff.deadline - handoff.updatedAt) / 3)))
    const beat = async (): Promise<void> => {
      if (this.#isStopped) return
      try {
        const { claimDeadline } = await this.#link.command((session) => session.heartbeat())
        // There was progress: the lease is no more.
        if (claimDeadline === null) return this.stop()
      } catch (error) {
        if (!isInfrastructure(error)) return this.stop()
      }
      this.#later(() => void beat(), everyMs)
    }
    await beat()
  }

  #later(then: () => void, ms: number = limits.longestBackoffMs): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(then, ms)
    // Staying alive is the agent's affair.
    this.#timer.unref()
  }
}
