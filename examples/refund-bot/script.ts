/** What the model says to each of the two customers. In life you leave this file out, and give the client its key. */
import type { Answer, Script } from "../scripted-model/ScriptedModel.ts"

const call = (tool: string, args: Readonly<Record<string, unknown>>): Answer => ({ calls: [{ tool, args }] })

/** Ann is in a hurry, and so is the model: it errs twice, is told why, and then does right. */
const ann: Script = ({ told, turn }) => {
  const [heard = ""] = told
  if (heard.includes("phase_blocked")) return call("find_customer", { email: "ann@example.com" })
  if (heard.includes("invariant_failed")) return call("refund", { order: "A-1001", amount: 120 })
  const answers = [
    call("refund", { order: "A-1001", amount: 900 }),
    call("look_up_order", { order: "A-1001" }),
    call("refund", { order: "A-1001", amount: 900 }),
    { text: "I have refunded 120.00 for order A-1001." },
  ]
  return answers[turn] ?? { text: "Is there anything else?" }
}

/** Bob insists on an order that does not exist, and the model can't stop looking for it. */
const bob: Script = ({ turn }) =>
  turn === 0 ? call("find_customer", { email: "bob@example.com" }) : call("look_up_order", { order: "B-9999" })

export const script: Script = (asked) => (asked.prompt.includes("Ann") ? ann : bob)(asked)
