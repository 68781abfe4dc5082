/** docs/mcp.md: every configuration in it is started as a host would, in a folder that holds the page's own files. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { expect, onTestFinished, test } from "vitest"
import { agentTools } from "../../src/mcp/tools.ts"
import { main, Running } from "../cli/command.ts"
import { root } from "../house/package.ts"
import { connected, refusal, storeIn } from "./fixtures.ts"

const page = readFileSync(join(root, "docs/mcp.md"), "utf8")
const blocks = (language: string): ReadonlyArray<readonly [info: string, text: string]> =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\b([^\\n]*)\\n(.*?)^\`\`\`$`, "gms"))].map(
    ([, info = "", text = ""]) => [info.trim(), text],
  )

const folderOfPage = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-mcp-docs-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [info, text] of [...blocks("yaml"), ...blocks("js")]) {
    const path = join(folder, info.replace("file=", ""))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  // What `npm install handrail @modelcontextprotocol/sdk` puts there.
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  return folder
}

/** `npx handrail` is the command of this repository. */
const start = async (cwd: string, { command, args }: { command: string; args: ReadonlyArray<string> }) => {
  expect([command, args[0]]).toEqual(["npx", "handrail"])
  const transport = new StdioClientTransport({ command: process.execPath, args: [main, ...args.slice(1)], cwd })
  const client = new Client({ name: "docs", version: "1" })
  onTestFinished(() => client.close())
  await client.connect(transport)
  return client
}

const names = async (client: Client): Promise<ReadonlyArray<string>> =>
  (await client.listTools()).tools.map(({ name }) => name)

test("each configuration starts a server, which offers what the page says", async () => {
  const cwd = folderOfPage()
  const { runtime } = await storeIn(cwd)
  const servers = blocks("json").map(([, text]) => Object.values(JSON.parse(text))[0])
  const offered: Array<ReadonlyArray<string>> = []
  for (const server of servers as ReadonlyArray<Parameters<typeof start>[1]>) {
    const client = await start(cwd, server)
    offered.push(await names(client))
    if (server.args.includes("proxy")) {
      const good = await client.callTool({ name: "write_page", arguments: { page: "front", text: "hello" } })
      expect(good).toMatchObject({ content: [{ text: "1 pages" }] })
      const bad = await client.callTool({ name: "write_page", arguments: { page: "../x", text: "hello" } })
      expect(refusal(bad as never)).toMatch(/^(invariant_failed|invalid_resource_key)$/)
      expect(refusal((await client.callTool({ name: "delete_pages", arguments: {} })) as never)).toBe("no_contract")
    }
    await client.close()
  }
  const own = agentTools.map(({ name }) => name)
  expect(offered).toEqual([own, own, ["write_page"], ["write_page"]])
  for (const name of own) expect(page).toContain(`\`${name}\``)
  const { items } = await runtime.listWorkflows()
  expect(items.map(({ workflowId }) => workflowId).toSorted()).toEqual(["docs-8", "docs-9"])
})

test("the command of HTTP listens, and answers", async () => {
  const cwd = folderOfPage()
  await storeIn(cwd)
  const [[, command] = ["", ""]] = blocks("sh")
  const server = new Running(command.trim().split(/\s+/).slice(1), { cwd })
  const [, url = ""] = await server.printed(/listening on (\S+)\n/)
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/)
  expect(await names((await connected(url)).client)).toHaveLength(agentTools.length)
})
