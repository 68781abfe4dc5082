/** Runs one thing after another, in the order of asking. What fails does not keep the next from running. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve()

  run<A>(what: () => Promise<A>): Promise<A> {
    const next = this.#last.then(what)
    this.#last = next.catch(() => {})
    return next
  }
}
