/** What the models cost, per million tokens. A model without a price is refused here, because the workflow has a max_cost. */
export const prices = {
  "gpt-5-mini": { input: 0.25, output: 2 },
  "claude-opus-5": { input: 5, output: 25 },
}
