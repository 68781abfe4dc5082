/**
 * The authority outside of a workflow: this process. Its contracts hold as they do inside; nothing is durable, shared or
 * approved by anybody, and what a crash leaves behind is not known afterwards.
 */
import { randomUUID } from "node:crypto"
import { ReplayKillError } from "../errors.ts"
import { Life } from "../link/Life.ts"
import type { Authority, Proposal, Reserved, Step } from "./Authority.ts"

const unlimited: Reserved = { preparedId: undefined, remaining: { cost: null, tokens: null } }

export class LocalAuthority implements Authority {
  readonly life = new Life()
  readonly #name = `local-${randomUUID()}`
  #steps = 0

  async ready(): Promise<void> {
    this.life.check()
  }

  async reserve(): Promise<Reserved> {
    return unlimited
  }

  async propose({ calls }: Proposal): Promise<ReadonlyArray<Step>> {
    if (calls.length > 0) this.life.check()
    return calls.map(({ tool }) => {
      this.#steps += 1
      return { stepId: `${this.#name}.${this.#steps}`, tool, status: "admitted", fences: [] }
    })
  }

  async turnOf(): Promise<[]> {
    return []
  }

  async receipt(): Promise<undefined> {}

  /** Nobody keeps account here but the contracts. */
  owe(): void {}

  async payUp(): Promise<void> {}

  async kill(reason: string): Promise<void> {
    const why = new ReplayKillError({ workflowId: null, sessionId: null, killId: null, reason })
    this.life.end(why, { abort: true })
  }
}
