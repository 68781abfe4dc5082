/**
 * The helpers of the clients that run a stream and emit events (`stream`, `runTools`) wrap whatever error is not their own in
 * one of theirs, as its cause. The governor's errors come out of them as they are, too.
 *
 * A message thread's `stream()` is made elsewhere: there the governor's error is the cause.
 */
import { object } from "./json.ts"
import type { Refusals } from "./Refusals.ts"

const holders = [
  "chat.completions",
  "beta.chat.completions",
  "responses",
  "beta.responses",
  "messages",
  "beta.messages",
]

export const unwrapRunners = (client: object, refusals: Refusals): void => {
  for (const path of holders) {
    const holder = path.split(".").reduce<unknown>((part, name) => object(part)[name], client)
    if (typeof holder !== "object" || holder === null) continue
    for (const name of ["stream", "runTools"]) {
      const method: unknown = Reflect.get(holder, name)
      if (typeof method !== "function") continue
      const value = (...args: ReadonlyArray<unknown>): unknown =>
        unwrapping(Reflect.apply(method, holder, args), refusals)
      Object.defineProperty(holder, name, { value, configurable: true, writable: true })
    }
  }
}

const unwrapping = (runner: unknown, refusals: Refusals): unknown => {
  if (typeof runner !== "object" || runner === null) return runner
  const emit: unknown = Reflect.get(runner, "_emit")
  if (typeof emit !== "function") return runner
  const value = (event: unknown, ...args: ReadonlyArray<unknown>): unknown => {
    const [error, ...rest] = args
    const isOurs = event === "error" && error instanceof Error && refusals.isKnown(error.cause)
    return Reflect.apply(emit, runner, isOurs ? [event, error.cause, ...rest] : [event, ...args])
  }
  Object.defineProperty(runner, "_emit", { value, configurable: true, writable: true })
  return runner
}
