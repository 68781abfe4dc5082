/**
 * Where the time of a command goes, stage by stage, for the benchmark's profile.
 *
 * Off unless a clock is provided: two readings for each command would cost a part of what they measure.
 */
import { Context } from "effect"
import type { Work } from "./Work.ts"

/** A clock in microseconds; undefined switches the profile off. */
export const StageClock = Context.Reference<(() => number) | undefined>("handrail/runtime/StageClock", {
  defaultValue: () => undefined,
})

export interface StageTotals {
  /** From the mailbox to the actor's turn. */
  mailbox: number
  /** The rules: deciding and evolving, without encoding. */
  decide: number
  /** Events to text, and their hashes. */
  encode: number
  /** From the durable batch to the last of its callers. */
  answer: number
  commands: number
}

export class Stages {
  readonly now: () => number
  readonly totals: StageTotals = { mailbox: 0, decide: 0, encode: 0, answer: 0, commands: 0 }

  constructor(now: () => number) {
    this.now = now
  }

  /** One turn of an actor that decides these requests. */
  turn(mailbox: ReadonlyArray<Pick<Work, "since">>, decideAll: () => void): void {
    const { totals } = this
    const start = this.now()
    const encoded = totals.encode
    for (const { since } of mailbox) totals.mailbox += start - (since ?? start)
    totals.commands += mailbox.length
    decideAll()
    totals.decide += this.now() - start - (totals.encode - encoded)
  }
}
