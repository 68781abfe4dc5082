/** A wrapped client whose control plane is a server: the same as embedded, with no more than an agent's key. */
import { join } from "node:path"
import OpenAI from "openai"
import { describe, expect, onTestFinished, test } from "vitest"
import { ReplayContractError, ReplayKillError, replay } from "../../src/index.ts"
import { governance, happened } from "../sdk/fixtures.ts"
import { call, chatTool, text } from "../sdk/providers/fixtures.ts"
import { chatReply } from "../sdk/providers/openaiStub.ts"
import { stubServer } from "../sdk/providers/stubServer.ts"
import { serve, thrown } from "./clientServers.ts"

const scene = async () => {
  const server = await serve()
  const stub = await stubServer()
  onTestFinished(() => stub[Symbol.asyncDispose]())
  const ran: Array<string> = []
  const folder = governance({
    "lead/session.yaml": `schema_version: "1.0"
agent: lead
risk_defaults: { financial: block }
phases: [{ name: look, initial: true }, { name: act, terminal: true }]
transitions: { look: [act] }
`,
    "lead/look.yaml": "tool: look\nside_effect: read\ncost: { estimate: 1 }\ntransitions: { advances_to: act }\n",
    "lead/launch.yaml":
      "tool: launch\nside_effect: write\ncheckpoint: true\ncost: { estimate: 1 }\ntransitions: { valid_in_phases: [act] }\n",
  })
  const key = await server.keyOf("agent")
  const agent = () => {
    const session = replay(new OpenAI({ apiKey: "sk-test", baseURL: `${stub.url}/v1` }), {
      agent: "lead",
      contractsDir: join(folder, "lead"),
      tools: { look: () => ran.push("look"), launch: () => ran.push("launch"), pay: () => ran.push("pay") },
      workflow: { type: "root", workflowId: "w1", role: "lead" },
      sessionId: "root",
      runtimeUrl: server.url,
      apiKey: key,
      prices: { "*": { input: 1000, output: 1000 } },
    })
    onTestFinished(() => session.close())
    const ask = () =>
      session.client.chat.completions.create({
        model: "gpt-5-mini",
        max_completion_tokens: 10,
        messages: [{ role: "user", content: "go" }],
        tools: ["look", "launch", "pay"].map(chatTool),
      })
    return { session, ask }
  }
  return { ...server, stub, ran, agent }
}

describe("a wrapped client over HTTP", () => {
  test("is admitted, blocked and settled as it is embedded, and a new process knows its phase", async () => {
    const { stub, ran, agent, runtime } = await scene()
    const { session, ask } = agent()
    stub.next(chatReply({ parts: [call("c1", "look")] }), chatReply({ parts: [call("c2", "pay")] }))
    await session.runTools(await ask())
    expect(await thrown(ask())).toBeInstanceOf(ReplayContractError)
    expect(ran).toEqual(["look"])
    expect((await runtime.getWorkflow("w1")).ledger.cost).toMatchObject({ used: 1.06, reserved: 0 })
    await session.close()
    const again = agent()
    await again.session.ready()
    expect(again.session.phase).toBe("act")
  })

  test("waits for the operator who approves", async () => {
    const { stub, ran, agent, runtime, connect } = await scene()
    const { session, ask } = agent()
    stub.next(chatReply({ parts: [call("c1", "look")] }), chatReply({ parts: [text("Now."), call("c2", "launch")] }))
    await session.runTools(await ask())
    const launched = session.runTools(await ask())
    await happened(runtime, (body) => body._tag === "steps.proposed" && body.steps[0]?.tool === "launch")
    const [waiting] = (await connect().getWorkflow("w1")).approvals
    expect(waiting).toMatchObject({ tool: "launch", sessionId: "root" })
    expect(ran).toEqual(["look"])
    await connect().approveStep({ workflowId: "w1", stepId: waiting?.stepId ?? "", reason: "go" })
    await launched
    expect(ran).toEqual(["look", "launch"])
  })

  test("is stopped by a kill while its model thinks", async () => {
    const { stub, ran, agent, connect, runtime } = await scene()
    const { session, ask } = agent()
    await session.ready()
    stub.next(() => {
      void connect().kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
      return "never"
    })
    expect(await thrown(ask())).toBeInstanceOf(ReplayKillError)
    expect(ran).toEqual([])
    expect((await runtime.getWorkflow("w1")).ledger.cost).toMatchObject({ reserved: 0 })
  })
})
