/** A process that loads a server: `commands` once, or `readers` and then `count`. The benchmarks start it and end it. */
import { commands } from "./commands.ts"
import type { Order, Report } from "./protocol.ts"
import { Readers } from "./readers.ts"

const report = (said: Report): void => {
  process.send?.(said)
}

let readers: Readers | undefined

const follow = async (order: Order): Promise<void> => {
  if (order.kind === "commands")
    return report({ kind: "measured", ...(await commands(order, () => report({ kind: "warm" }))) })
  if (order.kind === "readers") {
    readers = await Readers.open(order)
    return report({ kind: "reading" })
  }
  if (readers === undefined) throw new Error("nobody reads yet")
  report({ kind: "counted", arrivals: await readers.count(order.last, order.patienceMs) })
}

process.on("message", (order: Order) => {
  follow(order).catch((error: unknown) => report({ kind: "failed", error: String(error) }))
})
process.on("disconnect", () => process.exit())
