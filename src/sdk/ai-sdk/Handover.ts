/** Passes values from one side to the other, one at a time: who gives waits until it was taken. */
export class Handover<A> {
  #given: { readonly value: A; readonly taken: () => void } | undefined
  #end: { readonly failure?: { readonly error: unknown } } | undefined
  #wake: () => void = () => {}
  #isLeft = false

  /** Resolves when the value was taken, or nobody takes any more. */
  give(value: A): Promise<void> {
    if (this.#isLeft || this.#end !== undefined) return Promise.resolve()
    return new Promise((taken) => {
      this.#given = { value, taken }
      this.#wake()
    })
  }

  end(failure?: { readonly error: unknown }): void {
    this.#end = failure === undefined ? {} : { failure }
    this.#wake()
  }

  async *values(): AsyncGenerator<A, void, void> {
    try {
      for (;;) {
        const given = this.#given
        if (given !== undefined) {
          this.#given = undefined
          yield given.value
          given.taken()
        } else if (this.#end === undefined) {
          await new Promise<void>((wake) => {
            this.#wake = wake
          })
        } else if (this.#end.failure === undefined) return
        else throw this.#end.failure.error
      }
    } finally {
      this.#isLeft = true
      this.#given?.taken()
    }
  }
}
