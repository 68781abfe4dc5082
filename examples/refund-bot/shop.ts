/** The shop: its customers, its orders, and its books. The bot acts on it by tools alone. */
import { appendFileSync } from "node:fs"
import { join } from "node:path"

const customers: Readonly<Record<string, string>> = { "ann@example.com": "c1", "bob@example.com": "c2" }
const orders: Readonly<Record<string, { readonly customer: string; readonly total: number; readonly paid: boolean }>> =
  {
    "A-1001": { customer: "c1", total: 120, paid: true },
  }

/** The bot's tools, for one conversation. */
export const shopTools = (folder: string) => {
  const book = (entry: object): void => appendFileSync(join(folder, "books.jsonl"), `${JSON.stringify(entry)}\n`)
  return {
    find_customer: ({ email }: { email: string }) => {
      const customer = customers[email]
      if (customer === undefined) throw new Error(`nobody has the address ${email}`)
      return { customer }
    },
    look_up_order: ({ order }: { order: string }) => {
      const found = orders[order]
      if (found === undefined) throw new Error(`there is no order ${order}`)
      return found
    },
    refund: ({ order, amount }: { order: string; amount: number }) => {
      const total = orders[order]?.total ?? 0
      if (amount > total) throw new Error(`order ${order} was ${total}`)
      book({ type: "refund", order, amount })
      return { refunded: amount }
    },
    send_gift_card: ({ amount }: { amount: number }) => book({ type: "gift card", amount }),
  }
}
