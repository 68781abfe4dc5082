/** `handrail serve` as a process: what it prints, how it is kept from others, how it stops; and the commands that reach it. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, vi } from "vitest"
import { Input } from "../../src/cli/Input.ts"
import { ServeLog } from "../../src/cli/serveLog.ts"
import { settingsOf } from "../../src/cli/serveSettings.ts"
import { directoryOf, handrail, here, Running, seed } from "./command.ts"

vi.setConfig({ testTimeout: 180_000 })

const listening = /^listening on (http:\/\/127\.0\.0\.1:\d+)\n$/

describe("a server", () => {
  test("says where it listens, is reached, stops being open to everybody with the first key, and ends in order", async () => {
    const cwd = directoryOf({})
    const store = `sqlite:${join(cwd, "handrail.db")}`
    const server = new Running(["serve", "--store", store, "--port", "0", "--log", "json"], { cwd })
    const url = (await server.printed(listening))[1] ?? ""
    await server.printed(/Development mode/, "err")
    await seed(store)
    // Whoever lists processes sees no option.
    if (process.platform === "linux")
      expect(readFileSync(`/proc/${server.pid}/cmdline`, "utf8").replaceAll("\0", "")).toBe("handrail")
    expect(await here(["workflows", "list", "--url", url])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^wf-1 +team +active +lead /m),
    })

    const made = await here(["keys", "create", "dana", "--scopes", "operator,read", "--store", store])
    const key = made.out.trim()
    expect(key).toMatch(/^hrk_[0-9a-f]{16}_[\w-]{43}$/)
    expect(made.err).toMatch(/^Key [0-9a-f]{16} of dana in tenant default: operator, read\. It is shown this once:\n$/)
    const env = { HANDRAIL_URL: url }
    // A server believes for up to two seconds that there is no key.
    await vi.waitFor(async () => expect((await here(["workflows", "list"], { env })).code).toBe(1), 20_000)
    expect(await here(["workflows", "list"], { env })).toEqual({
      code: 1,
      out: "",
      err: expect.stringMatching(/^handrail: unauthenticated: .*HANDRAIL_API_KEY.*\n$/),
    })

    const file = join(cwd, "dana.key")
    writeFileSync(file, `${key}\n`)
    const follower = new Running(["events", "wf-1", "-f", "--json", "--api-key-file", file], { cwd, env })
    await follower.printed(/"type":"steps.proposed".*\n/)
    const withdrawn = await here(["handoffs", "withdraw", "wf-1", "job-2", "--api-key-file", file], { env })
    expect(withdrawn).toEqual({ code: 0, out: "job-2 is withdrawn, try 1.\n", err: "" })
    // The journal names who holds the key.
    await follower.printed(/"actor":"operator:dana".*"type":"handoff.withdrawn".*\n/)
    follower.signal("SIGINT")
    expect((await follower.ended).code).toBe(0)

    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } })
    expect(await metrics.text()).toContain('handrail_commands_total{command="withdraw",verdict="accepted"} 1')

    const reader = await here(["keys", "create", "looker", "--scopes", "read", "--store", store, "--json"])
    const only = { ...env, HANDRAIL_API_KEY: JSON.parse(reader.out).key as string }
    expect(await here(["kill", "wf-1", "--yes"], { env: only })).toEqual({
      code: 1,
      out: "",
      err: expect.stringMatching(/^handrail: forbidden: .*scope/),
    })
    expect(await here(["doctor"], { env: only })).toMatchObject({ code: 0, out: expect.stringMatching(/^ok +key/m) })

    server.signal("SIGTERM")
    const ended = await server.ended
    expect(ended.code).toBe(0)
    expect(ended.out).toMatch(listening)
    const log = ended.err
      .trim()
      .split("\n")
      .map((line): Record<string, unknown> => JSON.parse(line))
    expect(log.at(0)).toMatchObject({ level: "warn", event: "development" })
    expect(log.at(-1)).toMatchObject({ level: "info", event: "stopped" })
    const request = {
      event: "request",
      operation: "withdraw",
      actor: "operator:dana",
      workflowId: "wf-1",
      status: 200,
    }
    expect(log).toContainEqual(expect.objectContaining(request))
    expect(ended.err).not.toContain("hrk_")
  })

  test("does not start where it would be open to others, or can't listen, and says what to do", async () => {
    const store = `sqlite:${join(directoryOf({}), "handrail.db")}`
    const open = handrail(["serve", "--store", store, "--host", "0.0.0.0", "--port", "0"])
    expect(open).toEqual({
      code: 1,
      out: "",
      err: expect.stringMatching(/^handrail: keys_required: .*handrail keys create.*\n$/),
    })
    const nowhere = await here(["serve", "--store", "sqlite:/nowhere/at/all.db"])
    expect(nowhere).toMatchObject({ code: 1, out: "", err: expect.stringContaining("storage_unavailable: ") })
  })
})

describe("keys", () => {
  test("are listed without a secret, rotated with a grace, and revoked", async () => {
    const store = `sqlite:${join(directoryOf({}), "handrail.db")}`
    const at = ["--store", store]
    expect(await here(["keys", "list", ...at])).toMatchObject({
      code: 2,
      err: expect.stringContaining("there is no store"),
    })
    const make = ["keys", "create", "planner", "--scopes", "agent,read", "--tenant", "acme", "--expires", "90d"]
    const { key, key_id: id } = JSON.parse((await here([...make, ...at, "--json"])).out)
    const turned = await here(["keys", "rotate", id, "--grace", "2h", ...at])
    expect(turned.out).toMatch(/^hrk_/)
    expect(turned.err).toMatch(new RegExp(`takes the place of ${id}, which expires in 2h\\.`))
    const listed = await here(["keys", "list", ...at])
    expect(listed.out).toMatch(new RegExp(`^${id} +planner +acme +agent,read +\\S+ \\S+ +expires in 1h59m`, "m"))
    expect(listed.out).toMatch(/^\w{16} +planner +acme +agent,read +\S+ \S+ +valid$/m)
    for (const secret of [key, turned.out.trim()]) expect(listed.out + turned.err).not.toContain(secret.split("_")[2])

    expect(await here(["keys", "revoke", id, ...at])).toMatchObject({
      code: 0,
      out: expect.stringContaining("revoked"),
    })
    expect(await here(["keys", "rotate", id, ...at])).toMatchObject({
      code: 1,
      err: expect.stringContaining("key_ended: "),
    })
    const all = JSON.parse((await here(["keys", "list", "--json", ...at])).out)
    expect(all.keys.map((one: { revoked_at: number | null }) => one.revoked_at !== null)).toEqual([true, false])
  })

  test.each([
    [["keys", "create", "x"], 2, "say what the key may do"],
    [["keys", "create", "x", "--scopes", "oprator"], 2, "did you mean `operator`?"],
    [["keys", "create", "x", "--scopes", "read", "--expires", "soon"], 2, "takes a duration like 90d"],
    [["keys", "create", "x y", "--scopes", "read"], 1, "invalid_request: "],
    [["keys", "revoke", "0011"], 1, "key_not_found: There is no key 0011."],
    [["keys", "mint"], 2, "keys takes one of create, list, rotate, revoke, not mint"],
    [["keys"], 2, ""],
  ])("%j ends with %i: %s", async (args, code, words) => {
    const store = `sqlite:${join(directoryOf({}), "handrail.db")}`
    await here(["keys", "create", "first", "--scopes", "read", "--store", store])
    const ran = await here(args.length > 1 ? [...args, "--store", store] : args)
    expect(ran.err).toContain(words)
    expect(ran.code).toBe(code)
  })
})

describe("settings", () => {
  const from = (options: Record<string, string>, env: Record<string, string> = {}) =>
    settingsOf(new Input([], new Map(Object.entries(options).map(([name, value]) => [name, [value]]))), env)

  test("are those of this machine without any", () => {
    expect(from({})).toEqual({
      store: { store: "sqlite:./handrail.db" },
      host: "127.0.0.1",
      port: 4000,
      log: "text",
      synchronous: "full",
      cors: [],
      rate: undefined,
      grace: 10,
    })
  })

  test("come from what was typed, then the environment, then the file, in YAML or JSON", () => {
    const cwd = directoryOf({
      "a.yaml": "store: postgres://file\nport: 1\nhost: 0.0.0.0\ncors: [https://a.example, https://b.example]\n",
      "b.json": JSON.stringify({ log: "json", rate: 0 }),
    })
    const config = join(cwd, "a.yaml")
    expect(from({ config })).toMatchObject({
      store: { store: "postgres://file" },
      port: 1,
      host: "0.0.0.0",
      cors: ["https://a.example", "https://b.example"],
    })
    expect(from({ config, port: "2" }, { HANDRAIL_STORE: "sqlite:env" })).toMatchObject({
      store: { store: "sqlite:env" },
      port: 2,
    })
    expect(from({ config, store: "memory:" }, { HANDRAIL_STORE: "sqlite:env" }).store).toEqual({ store: "memory:" })
    expect(from({ config: join(cwd, "b.json") })).toMatchObject({ log: "json", rate: 0 })
  })

  test.each([
    ["prot: 1\n", "has prot, which is no setting"],
    ["port: [1]\n", "port is a text or a number"],
    ["port: '1\n", "settings.yaml:2:1: "],
    ["port: 99999\n", "--port is 0 to 65535"],
    ["log: loud\n", "--log is one of text, json, none"],
    ["store: mysql://root:hunter2@db\n", "a store is sqlite:PATH"],
  ])("%j is refused: %s", (text, words) => {
    const config = join(directoryOf({ "settings.yaml": text }), "settings.yaml")
    expect(() => from({ config })).toThrow(words)
    // A store's URL may hold a password.
    expect(() => from({ config })).not.toThrow("hunter2")
  })
})

describe("the log", () => {
  const seen = {
    operation: "kill" as never,
    method: "POST",
    status: 503,
    code: "storage_unavailable",
    tenant: "default",
    keyId: "k1",
    actor: "operator:dana",
    workflowId: "wf-1",
    sessionId: undefined,
    traceparent: undefined,
    durationMs: 1.23456,
  }
  const logged = (form: "text" | "json" | "none", use: (log: ServeLog) => void): ReadonlyArray<string> => {
    const lines: Array<string> = []
    use(new ServeLog({ form, write: (line) => lines.push(line), now: () => 0 }))
    return lines
  }

  test("as JSON has every request, with the ids of workflow and session", () => {
    const [line = ""] = logged("json", (log) => log.request(seen))
    expect(JSON.parse(line)).toEqual({
      time: "1970-01-01T00:00:00.000Z",
      level: "error",
      event: "request",
      operation: "kill",
      method: "POST",
      status: 503,
      code: "storage_unavailable",
      tenant: "default",
      keyId: "k1",
      actor: "operator:dana",
      workflowId: "wf-1",
      durationMs: 1.235,
    })
  })

  test("as text tells a person only what failed; none tells nothing", () => {
    const both = (log: ServeLog): void => {
      log.request(seen)
      log.request({ ...seen, status: 200, code: undefined })
    }
    expect(logged("text", both)).toEqual(["handrail: POST kill was answered with 503 storage_unavailable"])
    expect(logged("none", both)).toEqual([])
  })
})
