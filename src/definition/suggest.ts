/**
 * "did you mean": the nearest of the known names, by edit distance.
 *
 * Only a name within three edits, and within a third of its own length, is near: a wild guess sends the reader the wrong way.
 * The distance is computed in a band of that width, so a definition full of unknown names costs little.
 */
const maxDistance = 3
const maxLength = 128

/** The nearest candidate, or undefined where none is near. */
export const nearest = (word: string, candidates: Iterable<string>): string | undefined => {
  if (word.length > maxLength) return undefined
  const wanted = folded(word)
  let best: string | undefined
  let bestDistance = Math.min(maxDistance, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = distanceWithin(wanted, folded(candidate), bestDistance - 1)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** "did you mean `x`?" for the nearest candidate. */
export const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  const near = nearest(word, candidates)
  return near === undefined ? undefined : `did you mean \`${near}\`?`
}

/** Case and the kind of dash are the commonest slips; they cost nothing. */
const folded = (word: string): string => word.toLowerCase().replace(/[-_ ]/g, "_")

/** Edit distance with transpositions (optimal string alignment), or `limit + 1` once it can't be within the limit. */
const distanceWithin = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  const width = b.length + 1
  let before: ReadonlyArray<number> = []
  let previous: ReadonlyArray<number> = Array.from({ length: width }, (_, j) => j)
  for (let i = 1; i <= a.length; i += 1) {
    const row: Array<number> = new Array<number>(width).fill(limit + 1)
    if (i <= limit) row[0] = i
    let least = row[0] ?? limit + 1
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j += 1) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(cell(previous, j) + 1, cell(row, j - 1) + 1, cell(previous, j - 1) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, cell(before, j - 2) + 1)
      row[j] = cost
      least = Math.min(least, cost)
    }
    if (least > limit) return limit + 1
    before = previous
    previous = row
  }
  return Math.min(limit + 1, cell(previous, b.length))
}

const cell = (row: ReadonlyArray<number>, j: number): number => row[j] ?? maxDistance + 1
