/** Being asked to stop: Ctrl-C, or SIGTERM of whoever started the command. */

export interface StopSignal {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal
  /** Resolves then. */
  readonly stopped: Promise<void>
  /** From now on signals end the process again, as they do by themselves. */
  release(): void
}

/** `onSecond` is for whoever does not want to wait for the end that the first signal began. */
export const stopSignal = (onSecond: () => void = () => {}): StopSignal => {
  const controller = new AbortController()
  const stop = (): void => {
    if (controller.signal.aborted) onSecond()
    controller.abort()
  }
  const names = ["SIGINT", "SIGTERM"] as const
  for (const name of names) process.on(name, stop)
  return {
    signal: controller.signal,
    stopped: new Promise((resolve) => controller.signal.addEventListener("abort", () => resolve(), { once: true })),
    release: () => {
      for (const name of names) process.off(name, stop)
    },
  }
}
