/**
 * What a model call costs: the caller's price list, and an estimate before the call.
 *
 * No price is built in: prices change, and a wrong one would let a budget be overrun in silence. A model that the list does not
 * hold has no price, which is refused where a cost is limited.
 */
import { ReplayConfigError } from "../errors.ts"
import { limits } from "../limits.ts"
import type { ModelUsage } from "./Turn.ts"

/** Decimal money for a million tokens. */
export interface ModelPrice {
  readonly input: number
  readonly output: number
  /** Of input tokens that came from the provider's cache. Default: `input`. */
  readonly cachedInput?: number
}

/** By model. A name that ends in `*` stands for all that begin so; the longest that fits counts. */
export type Prices = Readonly<Record<string, ModelPrice>>

const perTokens = 1_000_000
/** Roughly, in English and code. An estimate that is too small is settled to the real amount after the call. */
const charsPerToken = 4

export class PriceList {
  readonly #exact: ReadonlyMap<string, ModelPrice>
  readonly #prefixes: ReadonlyArray<readonly [string, ModelPrice]>

  constructor(prices: Prices = {}) {
    const entries = Object.entries(prices)
    this.#exact = new Map(entries.filter(([name]) => !name.endsWith("*")))
    this.#prefixes = entries
      .filter(([name]) => name.endsWith("*"))
      .map(([name, price]) => [name.slice(0, -1), price] as const)
      .sort(([a], [b]) => b.length - a.length)
  }

  /** Undefined where nobody said what the model costs. */
  of(model: string): ModelPrice | undefined {
    return this.#exact.get(model) ?? this.#prefixes.find(([prefix]) => model.startsWith(prefix))?.[1]
  }
}

/** Decimal money. */
export const costOf = (price: ModelPrice, usage: ModelUsage): number => {
  const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens)
  const { input, output, cachedInput = input } = price
  return ((usage.inputTokens - cached) * input + cached * cachedInput + usage.outputTokens * output) / perTokens
}

/** What a call may use at most, roughly: its input, and its own cap of output or the usual one. */
export const estimatedUsage = (inputChars: number, maxOutputTokens: number | undefined): ModelUsage => ({
  inputTokens: Math.ceil(inputChars / charsPerToken),
  outputTokens: maxOutputTokens ?? limits.estimatedOutputTokens,
})

/** Checks a price list as it comes from the options. */
export const checkPrices = (prices: unknown): void => {
  if (prices === undefined) return
  if (typeof prices !== "object" || prices === null || Array.isArray(prices))
    throw new ReplayConfigError(
      "prices",
      "prices must be an object of model names and { input, output } per million tokens.",
    )
  for (const [model, price] of Object.entries(prices as Readonly<Record<string, unknown>>)) {
    const parts = typeof price === "object" && price !== null ? Object.entries(price) : []
    for (const [name, amount] of parts) {
      if (name !== "input" && name !== "output" && name !== "cachedInput")
        throw new ReplayConfigError(
          "prices",
          `The price of ${model} has no part ${name}: input, output and cachedInput are.`,
        )
      if (typeof amount !== "number" || !Number.isFinite(amount) || amount < 0)
        throw new ReplayConfigError(
          "prices",
          `The price of ${model} says ${name}: ${String(amount)}, which is no amount.`,
        )
    }
    if (!parts.some(([name]) => name === "input") || !parts.some(([name]) => name === "output"))
      throw new ReplayConfigError("prices", `The price of ${model} needs input and output, per million tokens.`)
  }
}
