/** A process under orders: each line on stdin is a turn, a list of commands that are sent all at once. */
import type { Client } from "../../src/runtime/Client.ts"
import { plainAnswer } from "../../src/testing/checkers/history.ts"
import { type CommandName, codeOf, type Line } from "./lines.ts"
import { teamYaml } from "./team.ts"

export interface Order {
  readonly command: CommandName
  readonly workflowId: string
  readonly input: Readonly<Record<string, unknown>>
  readonly key?: string
}
export interface Turn {
  readonly name: string
  readonly orders: ReadonlyArray<Order>
}

/** Ends with its input, or with an empty line. */
export const obey = async (client: Client, say: (line: Line) => void, heard: () => Promise<string>): Promise<void> => {
  let n = 0
  for (;;) {
    const text = await heard()
    if (text === "") return
    const { name, orders } = JSON.parse(text) as Turn
    await Promise.all(
      orders.map(async ({ command, workflowId, input, key }) => {
        n += 1
        const number = n
        say({ t: "sent", n: number, workflowId, command, input, ...(key === undefined ? {} : { key }) })
        const call = client[command] as (input: object, options: object) => Promise<object>
        const full = command === "createRoot" ? { ...input, definition: teamYaml } : input
        const options = key === undefined ? { workflowId } : { workflowId, idempotencyKey: key }
        try {
          say({ t: "ok", n: number, answer: plainAnswer(await call.call(client, full, options)) })
        } catch (error) {
          const code = codeOf(error)
          if (code === undefined) say({ t: "bug", n: number, text: String(error) })
          else say({ t: "no", n: number, code })
        }
      }),
    )
    say({ t: "turn", name })
  }
}
