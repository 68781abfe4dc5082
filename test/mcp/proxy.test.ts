/** `handrail mcp proxy`: a real MCP server behind it, whose deeds are written to a file, and the official client before it. */
import { spawn } from "node:child_process"
import { existsSync, readFileSync, watch, writeFileSync } from "node:fs"
import { join } from "node:path"
import { LoggingMessageNotificationSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, onTestFinished, test } from "vitest"
import { root } from "../house/package.ts"
import { answer, governance, type Host, refusal, started, storeIn } from "./fixtures.ts"

const script = join(root, "test/mcp/upstream.mjs")

interface Setting {
  readonly folder: string
  readonly contracts: ReadonlyArray<string>
  readonly upstream: ReadonlyArray<string>
  /** What the upstream server did, in order. */
  readonly done: () => ReadonlyArray<string>
  /** Once it did this. */
  readonly does: (what: string) => Promise<void>
}

const setting = (): Setting => {
  const folder = governance()
  const pages = join(folder, "pages")
  writeFileSync(pages, "")
  const done = () => readFileSync(pages, "utf8").split("\n").slice(0, -1)
  return {
    folder,
    contracts: ["--contracts", join(folder, "lead")],
    upstream: ["--", process.execPath, script, pages],
    done,
    does: async (what) => {
      const changes = watch(pages)
      onTestFinished(() => changes.close())
      await new Promise<void>((resolve) => {
        const look = () => {
          if (done().includes(what)) resolve()
        }
        changes.on("change", look)
        look()
      })
      changes.close()
    },
  }
}

const named = async ({ client }: Pick<Host, "client">): Promise<ReadonlyArray<string>> =>
  (await client.listTools()).tools.map(({ name }) => name)

describe("contracts alone", () => {
  test("narrow the list, block what they refuse before it runs, and let the rest through as it is", async () => {
    const { contracts, upstream, done } = setting()
    const host = await started(["mcp", "proxy", ...contracts, ...upstream])
    expect(host.client.getInstructions()).toBe("Read before you write.")
    expect(await named(host)).toEqual(["read_page", "slow", "broken", "crash"])
    let changed = 0
    const change = new Promise<void>((resolve) =>
      host.client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
        changed += 1
        resolve()
      }),
    )
    const early = await host.call("write_page", { page: "a", text: "new" })
    expect(refusal(early)).toBe("phase_blocked")
    expect(early.structuredContent).toMatchObject({ retryable: false, facts: { failures: [{ tool: "write_page" }] } })
    expect(refusal(await host.call("delete_all"))).toBe("no_contract")
    expect(refusal(await host.call("no_such_tool"))).toBe("no_contract")
    expect(done()).toEqual([])
    const read = await host.call("read_page", { page: "a" })
    expect(answer(read)).toEqual({ page: "a", text: "old" })
    await change
    expect(await named(host)).toContain("write_page")
    expect(refusal(await host.call("write_page", { page: "a", text: "x".repeat(21) }))).toBe("invariant_failed")
    expect((await host.call("write_page", { page: "a", text: "new" })).content).toEqual([
      { type: "text", text: "written" },
    ])
    expect(done()).toEqual(["read a", "write a new"])
    expect(changed).toBe(1)
  })

  test("an error in the tool's own words is passed on; a result with a schema is not claimed by a refusal", async () => {
    const { contracts, upstream, done } = setting()
    const host = await started(["mcp", "proxy", ...contracts, ...upstream])
    await host.client.listTools()
    const broken = await host.call("broken")
    expect(broken).toMatchObject({ isError: true, content: [{ type: "text", text: "no such page" }] })
    // Its input is wrong by the upstream server's own schema, and that is whose answer it is.
    const wrong = await host.call("read_page", { page: 7 })
    expect(wrong.isError).toBe(true)
    expect(done()).toEqual(["broken"])
  })

  test("resources, prompts, progress and logging pass through", async () => {
    const { contracts, upstream, does } = setting()
    const host = await started(["mcp", "proxy", ...contracts, ...upstream])
    const { client } = host
    expect((await client.listResources()).resources).toMatchObject([{ uri: "page://front" }])
    expect(await client.readResource({ uri: "page://front" })).toMatchObject({ contents: [{ text: "front page" }] })
    expect(await client.getPrompt({ name: "greet" })).toMatchObject({ messages: [{ content: { text: "hello" } }] })
    await expect(client.readResource({ uri: "page://none" })).rejects.toThrow("page://none")
    await client.setLoggingLevel("info")
    const logged = new Promise<unknown>((resolve) =>
      client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => resolve(params.data)),
    )
    const cancelling = new AbortController()
    const progressed = new Promise<unknown>((resolve) => {
      client
        .callTool({ name: "slow", arguments: {} }, undefined, { onprogress: resolve, signal: cancelling.signal })
        .catch(() => {})
    })
    expect(await progressed).toMatchObject({ progress: 1, total: 2 })
    expect(await logged).toBe("slow began")
    cancelling.abort()
    await does("slow was cancelled")
  })

  test("a server that dies is a typed refusal, for the call under way and all later ones", async () => {
    const { contracts, upstream, done } = setting()
    const host = await started(["mcp", "proxy", ...contracts, ...upstream])
    const crash = await host.call("crash")
    expect(refusal(crash)).toBe("upstream_failed")
    expect(refusal(await host.call("slow"))).toBe("upstream_failed")
    expect(done()).toEqual(["crash"])
    expect(host.told()).toContain("The governed MCP server is gone.")
  })

  test("neither a server that can't be started nor contracts that do not compile is served", async () => {
    const { contracts, folder, upstream } = setting()
    const none = started(["mcp", "proxy", ...contracts, "--", process.execPath, "-e", "process.exit(1)"])
    await expect(none).rejects.toThrow(/upstream_failed/)
    writeFileSync(join(folder, "lead", "slow.yaml"), "tool: slow\nside_effect: sideways\n")
    await expect(started(["mcp", "proxy", ...contracts, ...upstream])).rejects.toThrow(/invalid_contracts/)
  })
})

describe("in a workflow", () => {
  const inWorkflow = ["--workflow", "w1", "--role", "lead", "--session", "lead-1"]

  test("calls are steps of a session, which hold resources and budget", async () => {
    const { folder, contracts, upstream, done } = setting()
    const { store, runtime } = await storeIn(folder)
    const host = await started(["mcp", "proxy", ...contracts, "--store", store, ...inWorkflow, ...upstream])
    answer(await host.call("read_page", { page: "a" }))
    await host.call("write_page", { page: "a", text: "new" })
    expect(await runtime.getWorkflow("w1")).toMatchObject({ ledger: { cost: { used: 0.51 }, steps: { used: 2 } } })
    // Somebody else holds the page now.
    await runtime.offer({ sessionId: "lead-1", toRole: "worker", handoffId: "h1" })
    const other = await runtime.claim({
      workflowId: "w1",
      handoffId: "h1",
      parentSessionId: "lead-1",
      role: "worker",
      agent: "other",
    })
    await other.propose({ calls: [{ tool: "write_page", arguments: { page: "b" } }] })
    const held = await host.call("write_page", { page: "b", text: "mine" })
    expect(refusal(held)).toBe("resource_pending")
    expect(held.structuredContent).toMatchObject({ retryable: true })
    expect(done()).toEqual(["read a", "write a new"])
    await host.client.close()
    expect(await runtime.getSession("lead-1")).toMatchObject({ status: "active", steps: [] })
    const again = await started(["mcp", "proxy", ...contracts, "--store", store, ...inWorkflow, ...upstream])
    // It is where it was: in the phase to write.
    expect(await named(again)).toContain("write_page")
  })

  test("a kill cancels the call under way upstream, and every later one is refused before it", async () => {
    const { folder, contracts, upstream, done, does } = setting()
    const { store, runtime } = await storeIn(folder)
    const host = await started(["mcp", "proxy", ...contracts, "--store", store, ...inWorkflow, ...upstream])
    await host.client.listTools()
    const change = new Promise<void>((resolve) =>
      host.client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()),
    )
    const call = host.call("slow")
    await does("slow began")
    await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    const killed = await call
    expect(refusal(killed)).toBe("session_killed")
    expect(killed.structuredContent).toMatchObject({ facts: { reason: "enough", outcome: "unknown" } })
    await does("slow was cancelled")
    const before = done()
    expect(refusal(await host.call("read_page", { page: "a" }))).toBe("session_killed")
    expect(done()).toEqual(before)
    await change
    expect(await named(host)).toEqual([])
  })
})

test("a server on HTTP is governed too; ours is not in the environment of one that we start", async () => {
  const { folder, contracts, upstream, done } = setting()
  writeFileSync(join(folder, "lead", "environment.yaml"), "tool: environment\nside_effect: read\n")
  const env = { HANDRAIL_API_KEY: "hrk_secret", HANDRAIL_UPSTREAM_KEY: "upstream-key", FOR_ALL: "1" }
  const local = await started(["mcp", "proxy", ...contracts, ...upstream], { env })
  expect((await local.call("environment")).content).toEqual([{ type: "text", text: "FOR_ALL" }])
  const pages = upstream.at(-1) ?? ""
  const server = spawn(process.execPath, [script, pages, "0"], { stdio: ["ignore", "pipe", "inherit"] })
  onTestFinished(() => {
    server.kill("SIGKILL")
  })
  const url = await new Promise<string>((resolve) => server.stdout.once("data", (chunk) => resolve(`${chunk}`.trim())))
  const host = await started(["mcp", "proxy", ...contracts, "--upstream", url], { env })
  answer(await host.call("read_page", { page: "b" }))
  expect(refusal(await host.call("delete_all"))).toBe("no_contract")
  expect(done()).toEqual(["read b"])
  expect(existsSync(join(root, "handrail.db"))).toBe(false)
})
