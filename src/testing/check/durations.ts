/** Time as people write it. */

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const

/** `1h30m`, `4s`, `250ms`: the two largest units that are not nothing, as workflow.yaml writes them. */
export const durationText = (ms: number): string => {
  if (ms < 1000) return `${ms}ms`
  const parts: Array<string> = []
  let left = ms
  for (const [unit, size] of units) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`)
    else if (parts.length > 0) break
  }
  return parts.join("")
}

/** `0:04`, `1:02:03`, `2d 0:00:00`: since the workflow's birth, to the second. */
export const clockText = (ms: number): string => {
  const total = Math.floor(ms / 1000)
  const days = Math.floor(total / 86_400)
  const hours = Math.floor((total % 86_400) / 3600)
  const minutes = Math.floor((total % 3600) / 60)
  const two = (n: number): string => String(n).padStart(2, "0")
  const seconds = two(total % 60)
  if (days > 0) return `${days}d ${hours}:${two(minutes)}:${seconds}`
  return hours > 0 ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`
}
