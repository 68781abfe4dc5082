/** A new file that several processes open at once, or whose first process is killed on the way, is a good file for all. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { tenant } from "../runtime/open.ts"
import { AgentProcess } from "./AgentProcess.ts"
import { audit } from "./audit.ts"
import { Random } from "./Random.ts"
import { sqliteUrl } from "./stores.ts"

const newFile = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "handrail-opening-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, "store.db")
}
const agentOn = (filename: string, seed: number): AgentProcess => {
  const agent = new AgentProcess({ kind: "obey", store: sqliteUrl(filename), seed, prefix: `p${seed}` })
  onTestFinished(async () => {
    if (!agent.isOver) await agent.kill()
  })
  return agent
}

it("three processes open a new file at the same moment: each of them can", async () => {
  const filename = newFile()
  const agents = [1, 2, 3].map((seed) => agentOn(filename, seed))
  for (const agent of agents) await agent.says((line) => line.t === "opening")
  for (const agent of agents) agent.tell()
  for (const agent of agents) agent.tell("")
  for (const agent of agents) await agent.ended()
  expect(agents.map((agent) => [agent.code, agent.errors])).toEqual(agents.map(() => [0, ""]))
}, 60_000)

it("a process that is killed while it creates the file leaves one that can be opened", async () => {
  const random = new Random(Date.now())
  for (let round = 0; round < 3; round++) {
    const filename = newFile()
    const agent = agentOn(filename, round)
    await agent.says((line) => line.t === "opening")
    agent.tell()
    while (!existsSync(`${filename}-wal`) && !agent.isOver) await new Promise((next) => setImmediate(next))
    for (let turns = random.below(300); turns > 0; turns--) await new Promise((next) => setImmediate(next))
    await agent.kill()
    expect(await audit(sqliteUrl(filename), tenant, [])).toMatchObject({ workflows: 0, problems: [] })
  }
}, 60_000)
