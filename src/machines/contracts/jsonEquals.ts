/** Whether two JSON values are the same, whatever the order of their keys. An undefined member is no member. */
export const jsonEquals = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((item: unknown, index) => jsonEquals(item, b[index]))
  }
  const ours = membersOf(a)
  const theirs = new Map(membersOf(b))
  return (
    ours.length === theirs.size && ours.every(([key, value]) => theirs.has(key) && jsonEquals(value, theirs.get(key)))
  )
}

const membersOf = (value: object): ReadonlyArray<[string, unknown]> =>
  Object.entries(value).filter(([, member]) => member !== undefined)
