/** Several signals as one that can be let go of: `AbortSignal.any` stays with a long-lived signal for as long as that lives. */

export interface Joined {
  /** Aborts with the reason of the first of them. */
  readonly signal: AbortSignal
  /** Rejects with that reason, for whoever waits for something that does not mind a signal. */
  readonly aborted: Promise<never>
  readonly stop: (reason: unknown) => void
  readonly release: () => void
}

export const joined = (signals: ReadonlyArray<AbortSignal | undefined>): Joined => {
  const controller = new AbortController()
  let reject: (reason: unknown) => void = () => {}
  const aborted = new Promise<never>((_, rejectIt) => {
    reject = rejectIt
  })
  // Nobody need wait for it.
  aborted.catch(() => {})
  const stop = (reason: unknown): void => {
    controller.abort(reason)
    reject(reason)
  }
  const listeners = signals.flatMap((signal) => {
    if (signal === undefined) return []
    const listener = (): void => stop(signal.reason)
    if (signal.aborted) listener()
    else signal.addEventListener("abort", listener, { once: true })
    return [() => signal.removeEventListener("abort", listener)]
  })
  return { signal: controller.signal, aborted, stop, release: () => listeners.forEach((forget) => forget()) }
}
