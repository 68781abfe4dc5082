/** The system under test as a server: `handrail/http` over a runtime on SQLite, with a key and session tokens. */
import { join } from "node:path"
import { Handrail } from "handrail"
import { HttpApp, KeyRing, listen, MemoryKeys } from "handrail/http"
import { workflowYaml } from "./http/commands.ts"
import type { Served } from "./subject.ts"

export const serve = async (dir: string): Promise<Served> => {
  const runtime = await Handrail.open({ store: `sqlite:${join(dir, "bench.db")}` })
  const keys = new MemoryKeys()
  const { key } = await new KeyRing(keys).create({ name: "bench", scopes: ["agent", "read"] })
  const app = await HttpApp.open({ runtime, keys, rate: false })
  const listening = await listen(app)
  return {
    address: { port: listening.port, key, isEcho: false },
    watch: async () => {
      const workflowId = "watched"
      const root = await runtime.createRoot({ workflowId, role: "lead", agent: "lead", definition: workflowYaml })
      const { sessionId } = root
      let open: string | undefined
      return {
        workflowId,
        after: (await runtime.getSession(sessionId)).seq,
        // A proposal and its receipt take turns, so that nothing piles up.
        commit: async () => {
          if (open !== undefined) {
            const receipts = [{ stepId: open, outcome: "committed" as const }]
            open = undefined
            return (await runtime.execute("receipt", { sessionId, receipts })).seq
          }
          const proposed = await runtime.execute("propose", { sessionId, calls: [{ tool: "scan", estimatedCost: 0 }] })
          open = proposed.steps[0]?.stepId
          return proposed.seq
        },
      }
    },
    close: async () => {
      await listening.close({ graceMs: 1000 })
      await runtime.close()
    },
  }
}
