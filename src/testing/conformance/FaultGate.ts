/**
 * Where the statements of a store within this process pass, so that a fault can strike at any of them.
 *
 * For stores that have no process or connection of their own to lose: their writer's death is that nothing it waits for ever
 * comes, and that whatever it had only in its own memory is gone.
 */
import { Effect } from "effect"
import { type Journal, StorageUnavailable } from "../../runtime/Journal.ts"
import { type FaultyWriter, type StoreFault, type Strike, type WriteOutcome, writeOutcome } from "./StoreUnderTest.ts"

class ArmedStrike implements Strike {
  readonly fault: StoreFault
  left: number
  struck = false
  readonly strikes: Promise<void>
  #settle: () => void = () => {}

  constructor(fault: StoreFault) {
    this.fault = fault
    this.left = fault.statement
    this.strikes = new Promise((resolve) => {
      this.#settle = resolve
    })
  }
  strike(): void {
    this.struck = true
    this.#settle()
  }
  async disarm(): Promise<void> {
    this.left = Number.POSITIVE_INFINITY
  }
}

const failed = new StorageUnavailable({ reason: "io", detail: "a fault was injected into this statement" })

export interface GatedWriter {
  readonly append: Journal["Service"]["append"]
  close(): Promise<void>
  died(): void
}

export class FaultGate {
  #armed: ArmedStrike | undefined
  #frozen: Array<() => void> = []
  #dead = false
  readonly #deaths: Array<() => void> = []

  arm(fault: StoreFault): Strike {
    this.#armed = new ArmedStrike(fault)
    return this.#armed
  }

  /** One statement. What waits behind a death waits for ever. */
  pass<A>(statement: Effect.Effect<A, StorageUnavailable>): Effect.Effect<A, StorageUnavailable> {
    return Effect.suspend((): Effect.Effect<A, StorageUnavailable> => {
      if (this.#dead) return Effect.never
      const armed = this.#armed
      if (armed === undefined || --armed.left > 0) return statement
      this.#armed = undefined
      const { kind, when } = armed.fault
      const strike = Effect.suspend((): Effect.Effect<void, StorageUnavailable> => {
        armed.strike()
        if (kind === "error") return Effect.fail(failed)
        if (kind === "freeze") return Effect.promise(() => new Promise((resolve) => this.#frozen.push(() => resolve())))
        this.kill()
        return Effect.never
      })
      return when === "before" ? Effect.andThen(strike, statement) : Effect.tap(statement, () => strike)
    })
  }
  passSync<A>(statement: () => A): Effect.Effect<A, StorageUnavailable> {
    return this.pass(Effect.sync(statement))
  }

  /** The writer whose statements pass here, as the kit wants it. `died` lets go of what a process takes with it. */
  writer({ append, close, died }: GatedWriter): FaultyWriter {
    const death = new Promise<WriteOutcome>((resolve) => {
      this.#deaths.push(() => {
        died()
        resolve({ _tag: "died" })
      })
    })
    return {
      append: (group) => Promise.race([death, writeOutcome(append(group))]),
      arm: async (fault) => this.arm(fault),
      thaw: () => this.thaw(),
      kill: async () => this.kill(),
      close: async () => (this.#dead ? undefined : close()),
    }
  }

  thaw(): void {
    for (const go of this.#frozen.splice(0)) go()
  }

  kill(): void {
    if (this.#dead) return
    this.#dead = true
    for (const tell of this.#deaths) tell()
  }
}
