/** Agents over HTTP: kills that reach running tools, outages, and a server that is killed under load. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import {
  Handrail,
  outcomeOf,
  ReplayConfigError,
  ReplayKillError,
  type ReplayOptions,
  replay,
  type Tools,
} from "../../src/index.ts"
import { aborted, gate, governance } from "../sdk/fixtures.ts"
import { connected, gated, reset, serve, thrown } from "./clientServers.ts"
import { teamYaml } from "./fixtures.ts"

type Rest<T extends Tools> = Partial<Omit<ReplayOptions<T>, "tools">>

const lead = <T extends Tools>(tools: T, rest: Rest<T>) => {
  const session = replay(null, {
    agent: "lead",
    contractsDir: join(governance(), "lead"),
    tools,
    workflow: { type: "root", workflowId: "w1", role: "lead" },
    sessionId: "root",
    ...rest,
  })
  onTestFinished(() => session.close())
  return session
}

describe("replay with runtimeUrl and apiKey", () => {
  test("governs tools over HTTP as it does embedded, and needs no more than an agent's key", async () => {
    const { url, keyOf, runtime } = await serve()
    const session = lead({ look: () => "seen" }, { runtimeUrl: url, apiKey: await keyOf("agent") })
    expect(await session.tools.look()).toBe("seen")
    await session.complete({ fine: true })
    expect(await runtime.getWorkflow("w1")).toMatchObject({ status: "completed", ledger: { steps: { used: 1 } } })
  })

  test("takes both from the environment, and says what is missing or wrong", async () => {
    const { url, key, runtime } = await serve()
    vi.stubEnv("HANDRAIL_URL", "")
    vi.stubEnv("HANDRAIL_API_KEY", "")
    onTestFinished(() => void vi.unstubAllEnvs())
    const refused = (rest: Rest<Record<string, never>>): unknown => {
      try {
        return lead({}, rest)
      } catch (error) {
        return error
      }
    }
    expect(refused({})).toMatchObject({ option: "runtime", message: expect.stringContaining("HANDRAIL_URL") })
    expect(refused({ runtimeUrl: "localhost" })).toBeInstanceOf(ReplayConfigError)
    expect(refused({ runtimeUrl: "localhost" })).toMatchObject({ option: "runtimeUrl" })
    expect(refused({ runtimeUrl: url, apiKey: "two words" })).toMatchObject({ option: "apiKey" })
    expect(refused({ runtime, apiKey: key })).toMatchObject({ option: "apiKey" })
    expect(refused({ runtime, runtimeUrl: url })).toMatchObject({ option: "runtimeUrl" })
    vi.stubEnv("HANDRAIL_URL", url)
    vi.stubEnv("HANDRAIL_API_KEY", key)
    expect(await lead({ look: () => 1 }, {}).tools.look()).toBe(1)
  })
})

describe("a kill", () => {
  // A machine that stands still for a second says nothing of how fast a kill is.
  test("reaches the signal of a running tool in well under a second", { retry: 2 }, async () => {
    const { url, key, connect } = await serve()
    const started = gate()
    const session = lead(
      {
        post: (_: unknown, { signal }) => {
          started.open()
          return aborted(signal)
        },
      },
      { runtimeUrl: url, apiKey: key },
    )
    const call = thrown(session.tools.post(null))
    await started.opened
    const at = performance.now()
    const heard = new Promise<number>((resolve) =>
      session.signal.addEventListener("abort", () => resolve(performance.now() - at)),
    )
    await connect().kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    expect(await heard).toBeLessThan(1000)
    const error = await call
    expect(error).toBeInstanceOf(ReplayKillError)
    expect(outcomeOf(error)).toMatchObject({ tool: "post", outcome: "unknown" })
  })

  test("is heard although the stream was cut when it came", async () => {
    const { url, key, connect } = await serve()
    const cutters = new Set<() => void>()
    const runtime = connected({
      url,
      apiKey: key,
      fetch: async (to, init) => {
        const cut = new AbortController()
        init.signal?.addEventListener("abort", () => cut.abort())
        if (to.includes("/events")) cutters.add(() => cut.abort())
        return fetch(to, { ...init, signal: cut.signal })
      },
    })
    const session = lead({}, { runtime })
    await session.ready()
    const heard = new Promise((resolve) => session.signal.addEventListener("abort", resolve))
    await expect.poll(() => cutters.size).toBe(1)
    for (const cut of cutters) cut()
    await connect().kill({ workflowId: "w1", scope: "workflow", reason: "enough" })
    await heard
    expect(session.signal.reason).toMatchObject({ name: "ReplayKillError", reason: "enough" })
  })
})

describe("an outage", () => {
  test("fails closed: a tool that could not be admitted does not run", async () => {
    const { url, key } = await serve()
    let isAway = false
    const { fetch } = gated((_, pass) => (isAway ? reset("ECONNREFUSED") : pass()))
    const runtime = connected({ url, apiKey: key, fetch, maxRetries: 1 })
    let runs = 0
    const session = lead({ look: () => ++runs }, { runtime, maxRetries: 0 })
    expect(await session.tools.look()).toBe(1)
    isAway = true
    expect(await thrown(session.tools.look())).toMatchObject({ code: "storage_unavailable", retryable: true })
    expect(runs).toBe(1)
    isAway = false
    // It is over for the call, not for the session.
    expect(await session.tools.look()).toBe(2)
    expect(session.signal.aborted).toBe(false)
  })

  test("in the middle of a tool loses no receipt once the server is back", async () => {
    const { url, key, runtime } = await serve()
    let isAway = false
    let refused = 0
    const { fetch } = gated((_, pass) => {
      if (!isAway) return pass()
      refused += 1
      isAway = refused < 4
      return reset("ECONNREFUSED")
    })
    const session = lead(
      {
        post: () => {
          isAway = true
          return "sent"
        },
      },
      { runtime: connected({ url, apiKey: key, fetch }) },
    )
    expect(await session.tools.post()).toBe("sent")
    expect((await runtime.getSession("root")).steps).toEqual([])
  })
})

describe("a server that is killed under load", () => {
  const entry = fileURLToPath(new URL("./clientServer.ts", import.meta.url))
  const freePort = async (): Promise<number> => {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    server.close()
    await once(server, "close")
    return typeof address === "object" && address !== null ? address.port : 0
  }
  const boot = (folder: string, port: number): { readonly process: ChildProcess; readonly key: Promise<string> } => {
    const args = [join(folder, "store.db"), String(port), join(folder, "key")]
    const process_ = spawn(process.execPath, ["--import", "tsx", entry, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    onTestFinished(() => void process_.kill("SIGKILL"))
    const key = new Promise<string>((resolve, reject) => {
      process_.stdout?.setEncoding("utf8").on("data", (text: string) => resolve(text.trim().split(" ")[2] ?? ""))
      process_.on("exit", () => reject(new Error("the server ended")))
    })
    key.catch(() => {})
    return { process: process_, key }
  }

  test("loses no acknowledged command, does none twice, and clients carry on after the restart (I7, I8)", {
    timeout: 120_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "handrail-http-kill-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const port = await freePort()
    const first = boot(folder, port)
    const options = { url: `http://127.0.0.1:${port}`, apiKey: await first.key, maxRetries: 20, timeoutMs: 60_000 }
    const client = connected(options)
    const acknowledged: Array<string> = []
    let isOver = false
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      const root = { workflowId: `w${lane}`, role: "lead", agent: "a", sessionId: `s${lane}` }
      const session = await client.createRoot({
        ...root,
        definition: teamYaml.replace("max_steps: 100", "max_steps: 100000"),
      })
      for (let n = 0; !isOver; n++) {
        const summary = `${lane}:${n}`
        const { handoffId } = await session.handoff({ toRole: "dev", summary })
        acknowledged.push(summary)
        await session.withdraw({ handoffId })
      }
    })
    const reader = connected(options)
    const seqs: Array<number> = []
    const reading = (async () => {
      await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(0)
      for await (const { seq } of reader.events({ workflowId: "w0" })) seqs.push(seq)
    })()
    await expect.poll(() => acknowledged.length, { timeout: 30_000 }).toBeGreaterThan(60)
    first.process.kill("SIGKILL")
    await once(first.process, "exit")
    const before = acknowledged.length
    const second = boot(folder, port)
    await second.key
    // All lanes go on: each of them has more behind it than what was answered before.
    await expect.poll(() => acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(before + 60)
    isOver = true
    await Promise.all(lanes)
    const offered: Array<unknown> = []
    for (let lane = 0; lane < 8; lane++) {
      const { seq: last } = await client.getWorkflow(`w${lane}`)
      for await (const { seq, body } of client.events({ workflowId: `w${lane}` })) {
        if (body._tag === "handoff.offered") offered.push(body.summary)
        if (seq >= last) break
      }
      if (lane === 0) await expect.poll(() => seqs.length, { timeout: 20_000 }).toBe(last)
    }
    expect(offered.toSorted()).toEqual(acknowledged.toSorted())
    expect(seqs).toEqual(seqs.map((_, n) => n + 1))
    await reader.close()
    await reading
    await client.close()
    expect(await thrown(client.getWorkflow("w0"))).toMatchObject({ code: "closed" })
    const later = Handrail.connect(options)
    expect((await later.getWorkflow("w0")).status).toBe("active")
    await later.close()
  })
})
