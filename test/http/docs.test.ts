/** The walk through the API in docs/http.md, run as it stands: every `bash` block in order, in one shell, against a real server. */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import { MemoryKeys } from "../../src/adapters/http/auth/MemoryKeys.ts"
import { HttpApp } from "../../src/adapters/http/server/HttpApp.ts"
import { listen } from "../../src/adapters/http/server/nodeServer.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"

const document = readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8")
const blocks = [...document.matchAll(/^```bash\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? "")

const bash = (
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((resolve) => {
    const cwd = mkdtempSync(join(tmpdir(), "handrail-http-docs-"))
    onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
    const child = spawn("bash", ["-euo", "pipefail"], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    })
    let output = ""
    child.stdout.on("data", (data) => (output += String(data)))
    child.stderr.on("data", (data) => (output += String(data)))
    child.on("close", (code) => resolve({ code, output }))
    child.stdin.end(script)
  })

test("the curl walk-through runs, and leaves what it says", async () => {
  expect(blocks.length).toBeGreaterThan(6)
  const runtime = await Handrail.open({ store: "memory:" })
  const keys = new MemoryKeys()
  const { key } = await new KeyRing(keys).create({ name: "reader", scopes: ["agent", "read", "operator"] })
  const server = await listen(await HttpApp.open({ runtime, keys }))
  onTestFinished(async () => {
    await server.close({ graceMs: 1000 })
    await runtime.close()
  })
  const { code, output } = await bash(blocks.join("\n"), { HANDRAIL_URL: server.url, HANDRAIL_API_KEY: key })
  expect(code, output).toBe(0)
  expect(await runtime.getWorkflow("pr-42")).toMatchObject({ status: "completed", ledger: { cost: { used: 0.053 } } })
  expect(await runtime.getWorkflow("pr-43")).toMatchObject({ status: "killed" })
  expect(await runtime.getHandoff("pr-42", "scan-1")).toMatchObject({ status: "completed", result: { findings: 3 } })
  const actors: Array<string> = []
  for await (const { actor, body } of runtime.events({ workflowId: "pr-43" })) {
    actors.push(actor)
    if (body._tag === "killed") break
  }
  expect(actors.slice(1)).toEqual(Array(4).fill("operator:reader"))
})
