/** Several processes on one SQLite file, on the same workflow, at the same time: the journal's key decides. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { sqlite } from "../../src/adapters/kysely/sqlite.ts"
import { openRuntime, tenant } from "../runtime/open.ts"
import { AgentProcess, type AgentTask } from "./AgentProcess.ts"
import { audit } from "./audit.ts"
import { type Acknowledged, acknowledged, type Sent } from "./lines.ts"
import type { Order } from "./obey.ts"
import { sqliteUrl } from "./stores.ts"
import { teamYaml } from "./team.ts"

const newFile = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "handrail-contention-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, "store.db")
}
const startAgent = (task: AgentTask): AgentProcess => {
  const agent = new AgentProcess(task)
  onTestFinished(async () => {
    if (!agent.isOver) await agent.kill()
  })
  return agent
}
const obedient = (filename: string, name: string): AgentProcess =>
  startAgent({ kind: "obey", store: sqliteUrl(filename), seed: 0, prefix: name, idleMs: 10, foldAppends: 16 })

/** One turn of one agent; resolves with what it said of it. */
const turn = async (agent: AgentProcess, name: string, orders: ReadonlyArray<Order>) => {
  const before = agent.lines.length
  agent.tell(JSON.stringify({ name, orders }))
  await agent.says((line) => line.t === "turn" && line.name === name)
  const lines = agent.lines.slice(before)
  return {
    sent: lines.flatMap((line) => (line.t === "sent" ? [line] : [])),
    acknowledged: acknowledged(lines),
    refused: lines.flatMap((line) => (line.t === "no" ? [line.code] : [])),
  }
}
const dismiss = async (agents: ReadonlyArray<AgentProcess>): Promise<void> => {
  for (const agent of agents) agent.tell("")
  for (const agent of agents) await agent.ended()
}
/** Every call got one answer, and none that a caller should never see. */
const allAnswered = (agents: ReadonlyArray<AgentProcess>): void => {
  for (const agent of agents) {
    const sent = agent.lines.filter((line) => line.t === "sent").map((line) => line.n)
    const answered = agent.lines.filter((line) => line.t === "ok" || line.t === "no").map((line) => line.n)
    expect(agent.lines.filter((line) => line.t === "bug")).toEqual([])
    expect(answered.sort((a, b) => a - b)).toEqual(sent.sort((a, b) => a - b))
  }
}
const saidBy = (agents: ReadonlyArray<AgentProcess>): { acknowledged: Array<Acknowledged>; sent: Array<Sent> } => ({
  acknowledged: agents.flatMap((agent) => acknowledged(agent.lines)),
  sent: agents.flatMap((agent) => agent.lines.flatMap((line) => (line.t === "sent" ? [line] : []))),
})

const workflowId = "wf-race"
const rotated = <A>(list: ReadonlyArray<A>, by: number): ReadonlyArray<A> => [...list.slice(by), ...list.slice(0, by)]

it("three processes race for the same handoffs: one winner each, and one holder of a resource (I1, I4, I9)", async () => {
  const filename = newFile()
  const agents = ["a", "b", "c"].map((name) => obedient(filename, name))
  const { client } = await openRuntime(sqlite({ filename }))
  onTestFinished(() => client.close())
  const root = await client.createRoot({
    workflowId,
    role: "lead",
    agent: "lead",
    sessionId: "root",
    definition: teamYaml,
  })
  const handoffs = Array.from({ length: 24 }, (_, index) => `h${index}`)
  for (const handoffId of handoffs) await root.handoff({ toRole: "ops", handoffId, summary: { handoffId } })
  for (const agent of agents) agent.tell()
  for (const agent of agents) await agent.says((line) => line.t === "open")

  const claims = (name: string, by: number): ReadonlyArray<Order> =>
    rotated(handoffs, by).map((handoffId) => ({
      command: "claim",
      workflowId,
      input: {
        workflowId,
        handoffId,
        parentSessionId: "root",
        role: "ops",
        agent: name,
        sessionId: `${name}-${handoffId}`,
      },
      key: `${name}-claims-${handoffId}`,
    }))
  const claimed = await Promise.all(
    agents.map((agent, index) => turn(agent, "claims", claims("abc"[index] ?? "", index * 8))),
  )
  const winners = claimed.flatMap(({ acknowledged }) => acknowledged)
  expect(winners.map((won) => won.input.handoffId).sort()).toEqual([...handoffs].sort())
  expect(claimed.flatMap(({ refused }) => refused)).toEqual(Array.from({ length: 48 }, () => "handoff_already_claimed"))

  // Each winner asks for the one environment, and for a place in the one line.
  const proposals = (own: ReadonlyArray<Acknowledged>, name: "env" | "line"): ReadonlyArray<Order> =>
    own.map(({ answer }) => ({
      command: "propose",
      workflowId,
      input: {
        sessionId: answer.sessionId,
        calls: [{ tool: "work", resources: [{ name, key: "shared" }], estimatedCost: 0.1 }],
      },
    }))
  const ask = (name: "env" | "line") =>
    Promise.all(agents.map((agent, index) => turn(agent, name, proposals(claimed[index]?.acknowledged ?? [], name))))
  const holders = await ask("env")
  expect(holders.flatMap(({ acknowledged }) => acknowledged)).toHaveLength(1)
  expect(new Set(holders.flatMap(({ refused }) => refused))).toEqual(new Set(["resource_pending"]))
  const queued = (await ask("line")).flatMap(({ acknowledged }) => acknowledged)
  const statuses = queued
    .flatMap(({ answer }) => answer.steps as ReadonlyArray<{ status: string }>)
    .map((step) => step.status)
  expect(statuses).toHaveLength(24)
  expect(statuses.filter((status) => status === "admitted")).toHaveLength(1)

  await dismiss(agents)
  allAnswered(agents)
  const { acknowledged: told } = saidBy(agents)
  expect((await audit(sqliteUrl(filename), tenant, told)).problems).toEqual([])
}, 120_000)

it("two processes do random work on the same workflows: no gap, no lost answer, and the store verifies (I1 to I11)", async () => {
  const filename = newFile()
  const seed = Date.now() % 1_000_000
  const agents = ["x", "y"].map((prefix, index) =>
    startAgent({
      kind: "load",
      store: sqliteUrl(filename),
      seed: seed + index,
      prefix,
      workflows: 2,
      lanes: 6,
      commands: 260,
      foldAppends: 16,
      idleMs: 10,
    }),
  )
  for (const agent of agents) await agent.says((line) => line.t === "opening")
  for (const agent of agents) agent.tell()
  for (const agent of agents) await agent.ended()
  expect(agents.map((agent) => [agent.code, agent.errors])).toEqual([
    [0, ""],
    [0, ""],
  ])
  allAnswered(agents)
  const { acknowledged: told, sent } = saidBy(agents)
  const { problems, events } = await audit(sqliteUrl(filename), tenant, told, sent)
  expect(problems, `seed ${seed}`).toEqual([])
  expect(events).toBeGreaterThan(100)
}, 120_000)

it("a process that was stopped finds itself overtaken when it wakes, and goes on (I1, I5)", async () => {
  const filename = newFile()
  const agent = obedient(filename, "a")
  const { client } = await openRuntime(sqlite({ filename }))
  onTestFinished(() => client.close())
  const root = await client.createRoot({
    workflowId,
    role: "lead",
    agent: "lead",
    sessionId: "root",
    definition: teamYaml,
  })
  for (const handoffId of ["h1", "h2", "h3"]) await root.handoff({ toRole: "ops", handoffId })
  agent.tell()
  const claim = (handoffId: string, sessionId: string): Order => ({
    command: "claim",
    workflowId,
    input: { workflowId, handoffId, parentSessionId: "root", role: "ops", agent: "a", sessionId },
  })
  const first = await turn(agent, "first", [claim("h1", "a-1")])
  expect(first.acknowledged).toHaveLength(1)

  // It holds the workflow in memory as it was, and does not hear of what others do now.
  agent.send("SIGSTOP")
  await client.reclaim({ workflowId, handoffId: "h1" })
  const other = await client.claim({
    workflowId,
    handoffId: "h2",
    parentSessionId: "root",
    role: "ops",
    agent: "b",
    sessionId: "b-2",
  })
  agent.send("SIGCONT")

  const second = await turn(agent, "second", [
    { command: "propose", workflowId, input: { sessionId: "a-1", calls: [{ tool: "work", estimatedCost: 0 }] } },
    claim("h2", "a-2"),
  ])
  expect(second.refused.sort()).toEqual(["handoff_already_claimed", "session_killed"])
  const third = await turn(agent, "third", [claim("h3", "a-3"), claim("h1", "a-4")])
  expect(third.acknowledged.map(({ answer }) => answer.sessionId).sort()).toEqual(["a-3", "a-4"])
  await other.complete()
  await dismiss([agent])
  allAnswered([agent])
  expect((await audit(sqliteUrl(filename), tenant, acknowledged(agent.lines))).problems).toEqual([])
}, 120_000)

it("a process that is stopped in the midst of its work, even under the lock, harms nobody for longer than that", async () => {
  const filename = newFile()
  const agent = startAgent({
    kind: "load",
    store: sqliteUrl(filename),
    seed: 5,
    prefix: "s",
    workflows: 1,
    lanes: 8,
    commands: 400,
    foldAppends: 4,
    idleMs: 1,
  })
  const { client } = await openRuntime(sqlite({ filename, busyTimeoutMs: 100 }))
  onTestFinished(() => client.close())
  await client.createRoot({ workflowId, role: "lead", agent: "lead", sessionId: "root", definition: teamYaml })
  agent.tell()
  const seen: Array<string> = []
  for (let stop = 1; stop <= 8; stop++) {
    await agent.said(stop * 60)
    agent.send("SIGSTOP")
    const told = await client.offer({ sessionId: "root", toRole: "ops", handoffId: `h${stop}` }).then(
      () => "offered",
      (error: { readonly code: string }) => error.code,
    )
    seen.push(told)
    agent.send("SIGCONT")
    if (told !== "offered")
      await client.offer({ sessionId: "root", toRole: "ops", handoffId: `h${stop}` }).catch(() => {})
  }
  // Either it was stopped between two commits, or it held the lock and we were told so.
  for (const told of seen) expect(["offered", "storage_unavailable"]).toContain(told)
  await agent.ended()
  allAnswered([agent])
  const { acknowledged: told, sent } = saidBy([agent])
  expect((await audit(sqliteUrl(filename), tenant, told, sent)).problems).toEqual([])
}, 120_000)
