/** Ids for the calls of one answer that surely differ, in the order of the calls: the provider's own, wherever they do. */
export const callIds = (): ((id: unknown, fallback: string) => string) => {
  const seen = new Set<string>()
  return (id, fallback) => {
    const wanted = typeof id === "string" && id !== "" ? id : fallback
    let unique = wanted
    for (let n = 2; seen.has(unique); n++) unique = `${wanted}#${n}`
    seen.add(unique)
    return unique
  }
}
