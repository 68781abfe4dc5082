/** Readers of plain JSON whose form is not known: what was sent and answered is data here, and may be of any version. */

export type Fields = Readonly<Record<string, unknown>>

export const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {}
export const listOf = (value: unknown): ReadonlyArray<Fields> => (Array.isArray(value) ? value.map(fieldsOf) : [])
export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
export const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)
/** Decimal money as micro-units, rounded up like the runtime does. */
export const microsOf = (value: unknown): number | undefined => {
  const amount = numberOf(value)
  return amount === undefined ? undefined : Math.ceil(Number((amount * 1e6).toFixed(3)))
}
