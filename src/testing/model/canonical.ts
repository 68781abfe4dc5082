/** JSON with sorted members: two values are the same if their texts are. */
const ordered = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(ordered)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, one]) => [name, ordered(one)]),
        )
      : value

export const canonical = (value: unknown): string => JSON.stringify(ordered(value)) ?? "undefined"
