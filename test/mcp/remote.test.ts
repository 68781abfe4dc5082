/** `handrail mcp --url`: an agent with a key of its own, on a server; and no secret in anything that it is told. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { handrail, Running } from "../cli/command.ts"
import { answer, governance, refusal, started, storeIn } from "./fixtures.ts"

test("acts on a server by its sessions' tokens, which nobody is shown", async () => {
  const folder = governance()
  const { store, runtime } = await storeIn(folder)
  const made = handrail(["keys", "create", "agent", "--scopes", "agent,read", "--store", store])
  const [key = ""] = /hrk_\S+/.exec(made.out) ?? []
  expect(key).not.toBe("")
  const keyFile = join(folder, "key")
  writeFileSync(keyFile, `${key}\n`)
  const server = new Running(["serve", "--store", store, "--port", "0", "--log", "none"])
  const [, url = ""] = await server.printed(/listening on (\S+)\n/)
  const target = ["mcp", "--url", url, "--api-key-file", keyFile, "--workflow", "w1"]
  const lead = await started([...target, "--role", "lead", "--definition", folder, "--session", "lead-1"])
  const heard: Array<unknown> = [lead.client.getInstructions(), (await lead.client.listTools()).tools]
  heard.push(answer(await lead.call("handoff", { to_role: "worker", handoff_id: "h1" })))
  const worker = await started(target)
  const claim = { handoff_id: "h1", parent_session_id: "lead-1", role: "worker", session_id: "worker-1" }
  heard.push(answer(await worker.call("claim", claim)))
  const proposal = { calls: [{ tool: "write_page", arguments: { page: "a" } }] }
  const proposed = answer(await worker.call("propose", proposal))
  heard.push(proposed)
  // Come back with the same ids, it is the same session, although its token was never shown.
  await worker.client.close()
  const again = await started([
    ...target,
    "--role",
    "worker",
    "--parent",
    "lead-1",
    "--handoff",
    "h1",
    "--session",
    "worker-1",
  ])
  const state = answer(await again.call("state", { workflow: true }))
  heard.push(state)
  const [step] = proposed.steps as [{ step_id: string }]
  expect(state).toMatchObject({ session: { steps: [{ step_id: step.step_id }] } })
  heard.push(await again.call("receipt", { receipts: [{ step_id: step.step_id, outcome: "committed" }] }))
  heard.push(await again.call("complete", {}), await again.call("complete", {}))
  heard.push(answer(await lead.call("complete", {})))
  expect(await runtime.getWorkflow("w1")).toMatchObject({ status: "completed" })
  const all = JSON.stringify(heard) + lead.told() + worker.told() + again.told()
  expect(all).not.toMatch(/hr[ks]_|session_token/)
  expect(all).not.toContain(key)
  expect(refusal(await lead.call("state", { session_id: "worker-1" }))).toBe("forbidden")
})
