/** Durable handoffs that a model of the OpenAI Agents SDK makes: worked on here, elsewhere, not at all, and under a kill. */
import { Agent, OpenAIResponsesModel, tool } from "@openai/agents"
import OpenAI from "openai"
import { expect, test } from "vitest"
import { z } from "zod"
import { type ChildWorkflow, ReplayKillError, replay } from "../../../src/index.ts"
import {
  type ClaimingSession,
  type DurableHandoffOptions,
  durableHandoff,
  governedTool,
  refusalOf,
} from "../../../src/openai-agents.ts"
import { aborted, errorOf, gate, happened } from "../fixtures.ts"
import { call, text } from "../providers/fixtures.ts"
import { setUp as setUpLead, unlimited } from "./fixtures.ts"

const files = {
  ...unlimited,
  "lead/ask_worker.yaml": "tool: ask_worker\nside_effect: write\ncost: { estimate: 1 }\n",
}

const setUp = async () => {
  const made = await setUpLead(["responses", "client"], {}, files)
  const { session, folder, runtime, stub, agent } = made
  const asks = <S extends ClaimingSession>(options: Omit<DurableHandoffOptions<S>, "toRole">) =>
    agent([
      tool(
        governedTool(session, {
          name: "ask_worker",
          description: "Hands work to a worker.",
          parameters: z.object({ task: z.string() }),
          execute: durableHandoff(session, { toRole: "worker", ...options }),
        }),
      ),
    ])
  const open = (workflow: ChildWorkflow) =>
    replay(new OpenAI({ apiKey: "key", baseURL: `${stub.url}/v1`, maxRetries: 0 }), {
      agent: "worker",
      contractsDir: `${folder}/worker`,
      workflow,
      runtime,
    })
  return { ...made, asks, open }
}

const asked = call("a", "ask_worker", { task: "ship it" })

test("an agent of this process works in a session of its own, and its result is the tool's", async () => {
  const { stub, runtime, session, runner, reply, asks, open } = await setUp()
  const deployed: Array<unknown> = []
  const lead = asks({
    here: {
      session: open,
      run: async (child, signal) => {
        const deploy = tool(
          governedTool(child, {
            name: "deploy",
            description: "Deploys.",
            parameters: z.object({ environment: z.string() }),
            execute: ({ environment }) => {
              deployed.push(environment, child.handedOver?.summary)
              return "deployed"
            },
          }),
        )
        const model = new OpenAIResponsesModel(child.client, "gpt-5-mini")
        const worker = new Agent({ name: "worker", model, tools: [deploy] })
        const { finalOutput } = await runner.run(worker, "ship it", { signal })
        return { said: finalOutput }
      },
    },
  })
  stub.next(
    reply({ parts: [asked] }),
    reply({ parts: [call("b", "deploy", { environment: "prod" })] }),
    reply({ parts: [text("It is out.")] }),
    reply({ parts: [text("Thanks.")] }),
  )
  expect((await runner.run(lead, "go")).finalOutput).toBe("Thanks.")
  expect(deployed).toEqual(["prod", { task: "ship it" }])
  expect(stub.requests[3]?.text).toMatch(/completed.*It is out\./)
  const { handoffs, sessions } = await session.getWorkflowState()
  expect(handoffs).toMatchObject([{ status: "completed", toRole: "worker" }])
  expect(sessions.map(({ role, status }) => [role, status])).toContainEqual(["worker", "completed"])
  expect(await session.complete()).toMatchObject({ status: "completed" })
  expect(await runtime.getWorkflow("w1")).toMatchObject({ status: "completed" })
})

test("an agent of this process that fails has failed the handoff, and the model hears why", async () => {
  const { stub, session, runner, reply, asks, open } = await setUp()
  const lead = asks({ here: { session: open, run: () => Promise.reject(new Error("no idea how")) } })
  stub.next(reply({ parts: [asked] }), reply({ parts: [text("A pity.")] }))
  await runner.run(lead, "go")
  expect(stub.requests[1]?.text).toMatch(/failed.*no idea how/)
  expect((await session.getWorkflowState()).handoffs).toMatchObject([{ status: "failed" }])
})

test("an agent elsewhere claims it, and the tool answers when it has ended", async () => {
  const { stub, runtime, session, runner, reply, asks } = await setUp()
  await session.ready()
  stub.next(reply({ parts: [asked] }), reply({ parts: [text("Thanks.")] }))
  const run = runner.run(asks({}), "go")
  const { body } = await happened(runtime, ({ _tag }) => _tag === "handoff.offered")
  const handoffId = "handoffId" in body ? body.handoffId : ""
  const claim = {
    workflowId: "w1",
    role: "worker",
    agent: "far",
    parentSessionId: "root",
    handoffId: String(handoffId),
  }
  const child = await runtime.claim(claim)
  const [step] = await child.propose({ calls: [{ tool: "deploy", arguments: { environment: "prod" } }] })
  await child.receipt({ receipts: [{ stepId: step?.stepId ?? "", outcome: "committed" }] })
  await child.complete({ result: { from: "far away" } })
  expect((await run).finalOutput).toBe("Thanks.")
  expect(stub.requests[1]?.text).toMatch(/completed.*far away/)
})

test("an offer that nobody claims in time is taken back", async () => {
  const { stub, session, runner, reply, asks } = await setUp()
  stub.next(reply({ parts: [asked] }), reply({ parts: [text("Then not.")] }))
  await runner.run(asks({ timeoutMs: 1 }), "go")
  expect(stub.requests[1]?.text).toMatch(/withdrawn.*did not end within 1 ms/)
  expect((await session.getWorkflowState()).handoffs).toMatchObject([{ status: "withdrawn" }])
})

test("one that was claimed and does not end in time is told as open", async () => {
  const { stub, session, runner, reply, asks, open } = await setUp()
  const claimed = gate()
  const stopped = gate()
  stub.next(reply({ parts: [asked] }), reply({ parts: [text("Later.")] }))
  const lead = asks({
    timeoutMs: 2000,
    here: {
      session: open,
      run: (_, signal) => {
        claimed.open()
        return aborted(signal).finally(stopped.open)
      },
    },
  })
  const run = runner.run(lead, "go")
  await claimed.opened
  await run
  expect(stub.requests[1]?.text).toMatch(/open.*did not end within 2000 ms/)
  await stopped.opened
  expect((await session.getWorkflowState()).ledger.steps.used).toBe(1)
})

test("a kill of the workflow stops the work and the waiting, and nothing is completed later", async () => {
  const { stub, runtime, runner, reply, asks, open } = await setUp()
  const working = gate()
  const stopped = gate<unknown>()
  const lead = asks({
    here: {
      session: open,
      run: async (_, signal) => {
        working.open()
        await aborted(signal).catch((error: unknown) => stopped.open(error))
        return "done all the same"
      },
    },
  })
  stub.next(reply({ parts: [asked] }))
  const left = errorOf(runner.run(lead, "go"))
  await working.opened
  await runtime.kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
  expect(refusalOf(await left)).toBeInstanceOf(ReplayKillError)
  expect(await stopped.opened).toBeInstanceOf(ReplayKillError)
  const { handoffs, status } = await runtime.getWorkflow("w1")
  expect([status, handoffs[0]?.status]).toEqual(["killed", "killed"])
})
