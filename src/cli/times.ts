/** Moments and spans of time, as people read and write them. */
import { durationText } from "../testing/check/durations.ts"
import { UsageError } from "./Command.ts"
import type { Input } from "./Input.ts"

/** `2026-03-01 12:00:00Z`. */
export const momentText = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}Z`

/** `12:00:00.000`. */
export const clockOf = (at: number): string => new Date(at).toISOString().slice(11, 23)

/** `3m ago`, `in 2h`, `now`. */
export const relative = (at: number, now: number): string => {
  const away = Math.abs(at - now)
  if (away < 1000) return "now"
  const text = durationText(Math.floor(away / 1000) * 1000)
  return at > now ? `in ${text}` : `${text} ago`
}

/** A duration option such as `90d` or `1h30m`, in ms. */
export const durationOption = async (input: Input, name: string): Promise<number | undefined> => {
  const text = input.text(name)
  if (text === undefined) return undefined
  const { durationMs } = await import("../definition/values.ts")
  const ms = durationMs(text)
  if (ms === undefined)
    throw new UsageError(`--${name} takes a duration like 90d or 1h30m, not ${JSON.stringify(text)}`)
  return ms
}
