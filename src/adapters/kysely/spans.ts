/** Ids of consecutive events, as [id, count, id, count, …]: short where a workflow wrote alone, exact where many did. */

/** Appends `count` ids from `id` on. */
export const addSpan = (spans: Array<number>, id: number, count: number): void => {
  const last = spans.length - 2
  const lastId = spans[last]
  const lastCount = spans[last + 1]
  if (lastId !== undefined && lastCount !== undefined && lastId + lastCount === id) spans[last + 1] = lastCount + count
  else spans.push(id, count)
}

/** Undefined for a text that is not a list of spans. */
export const parseSpans = (text: string): ReadonlyArray<number> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.length % 2 === 0 && value.every((part) => Number.isSafeInteger(part))
      ? value
      : undefined
  } catch {
    return undefined
  }
}

/** The ids from the `skip`th on, at most `limit`, appended to `ids`. */
export const idsOf = (spans: ReadonlyArray<number>, skip: number, limit: number, ids: Array<number>): void => {
  let left = skip
  const end = ids.length + limit
  for (let i = 0; i + 1 < spans.length; i += 2) {
    const id = spans[i] as number
    const count = spans[i + 1] as number
    for (let n = Math.min(left, count); n < count && ids.length < end; n++) ids.push(id + n)
    left = Math.max(0, left - count)
  }
}
