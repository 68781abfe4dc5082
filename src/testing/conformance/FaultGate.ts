/**
 * Where the statements of a store within this process pass, so that a fault can strike at any of them.
 *
 * For stores that have no process or connection of their own to lose: their writer's death is that nothing it waits for ever
 * comes, and that whatever it had only in its own memory is gone.
 */
import { Effect } from "effect"
import { StorageUnavailable } from "../../runtime/Journal.ts"
import type { StoreFault, Strike } from "./StoreUnderTest.ts"

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

export class FaultGate {
  #armed: ArmedStrike | undefined
  #frozen: Array<() => void> = []
  #dead = false
  readonly #deaths: Array<() => void> = []

  get isDead(): boolean {
    return this.#dead
  }

  arm(fault: StoreFault): Strike {
    this.#armed = new ArmedStrike(fault)
    return this.#armed
  }

  /** One statement. What waits behind a death waits for ever. */
  pass<A>(statement: () => A): Effect.Effect<A, StorageUnavailable> {
    return Effect.suspend((): Effect.Effect<A, StorageUnavailable> => {
      if (this.#dead) return Effect.never
      const armed = this.#armed
      if (armed === undefined || --armed.left > 0) return Effect.sync(statement)
      this.#armed = undefined
      const { kind, when } = armed.fault
      const run = Effect.sync(statement)
      const strike = Effect.suspend((): Effect.Effect<void, StorageUnavailable> => {
        armed.strike()
        if (kind === "error") return Effect.fail(failed)
        if (kind === "freeze") return Effect.promise(() => new Promise((resolve) => this.#frozen.push(() => resolve())))
        this.kill()
        return Effect.never
      })
      return when === "before" ? Effect.andThen(strike, run) : Effect.tap(run, () => strike)
    })
  }

  thaw(): void {
    for (const go of this.#frozen.splice(0)) go()
  }

  kill(): void {
    if (this.#dead) return
    this.#dead = true
    for (const tell of this.#deaths) tell()
  }

  /** Calls `tell` when the writer dies, at once if it is dead. */
  onDeath(tell: () => void): void {
    if (this.#dead) tell()
    else this.#deaths.push(tell)
  }
}
