/** What an operator does from the command line, directly on a store: looking, acting, refusals, and what is asked before a kill. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, vi } from "vitest"
import { Handrail } from "../../src/sdk/Handrail.ts"
import { directoryOf, handrail, here, Running, seed } from "./command.ts"

vi.setConfig({ testTimeout: 120_000 })

const fresh = async () => {
  const store = `sqlite:${join(directoryOf({}), "handrail.db")}`
  const { stepId } = await seed(store)
  const run = (...args: ReadonlyArray<string>) => here([...args, "--store", store, "--operator", "dana"])
  const look = (...args: ReadonlyArray<string>) => here([...args, "--store", store])
  return { store, stepId, run, look }
}

/** A workflow `deploys` whose one session asks for `count` approvals. */
const asking = async (count: number) => {
  const store = `sqlite:${join(directoryOf({}), "handrail.db")}`
  const runtime = await Handrail.open({ store })
  try {
    const lead = await runtime.createRoot({
      workflowId: "deploys",
      sessionId: "lead-1",
      role: "lead",
      agent: "planner",
      definition: {
        workflowYaml:
          'schema_version: "1.0"\nworkflow: deploys\nroles: [{ name: lead, root: true, session_contract: lead/session.yaml }]\n',
        files: {
          "lead/session.yaml": 'schema_version: "1.0"\nagent: lead\n',
          "lead/deploy.yaml": "tool: deploy\nside_effect: destructive\ncheckpoint: { timeout: 8h }\n",
        },
      },
    })
    const calls = Array.from({ length: count }, (_, n) => ({
      tool: "deploy",
      // What an agent writes must not drive a terminal.
      arguments: { environment: `prod-${n + 1}\u001b[2J` },
    }))
    const steps = (await lead.propose({ calls })).map(({ stepId }) => stepId)
    return { store, steps }
  } finally {
    await runtime.close()
  }
}

test("what awaits approval is listed with what a person has to know, approved and rejected", async () => {
  const { store, steps } = await asking(2)
  const [one = "", two = ""] = steps
  const run = (...args: ReadonlyArray<string>) => here([...args, "--store", store, "--operator", "dana"])
  const look = (...args: ReadonlyArray<string>) => here([...args, "--store", store])
  const listed = (await look("approvals", "list")).out
  expect(listed).toMatch(/^WORKFLOW +STEP +TOOL +ARGUMENTS +RESOURCES +ROLE +SESSION +REJECTED$/m)
  expect(listed).toMatch(
    new RegExp(`^deploys +${one} +deploy +\\{"environment":"prod-1[^\u001b]*"\\} +lead +lead-1 +in 7h59m`, "m"),
  )
  expect((await look("workflows", "show", "deploys")).out).toMatch(new RegExp(`Awaiting approval\n.*\n${one} `))
  const json = JSON.parse((await look("approvals", "list", "deploys", "--json")).out)
  expect(json).toMatchObject({
    items: [
      { workflow_id: "deploys", step_id: one, tool: "deploy", approval_deadline: expect.any(Number) },
      { workflow_id: "deploys", step_id: two },
    ],
    more: false,
  })

  expect(await run("approvals", "approve", "deploys", one, "--reason", "reviewed")).toEqual({
    code: 0,
    out: `${one} is admitted.\n`,
    err: "",
  })
  const rejected = await run("approvals", "reject", "deploys", two, "--json", "--reason", "not this one")
  expect(JSON.parse(rejected.out)).toEqual({ step_id: two, status: "aborted", seq: 4 })
  const late = await run("approvals", "approve", "deploys", two)
  expect(late).toMatchObject({ code: 1, out: "" })
  expect(late.err).toMatch(/^handrail: step_not_awaiting_approval: /)
  expect(await look("approvals", "list")).toEqual({ code: 0, out: "", err: "Nothing awaits approval.\n" })
  const lines = (await look("events", "deploys", "--after", "2")).out.trimEnd().split("\n")
  expect(lines.map((line) => line.trim().split(/ +/).slice(2).join(" "))).toEqual([
    `step.approved operator:dana ${one} (reviewed)`,
    `steps.resolved operator:dana ${two} aborted for 0, rejected (not this one)`,
  ])
})

test("a workflow is looked at, relieved, resolved and killed", async () => {
  const { stepId, run, look } = await fresh()
  const shown = (await look("workflows", "show", "wf-1")).out
  expect(shown).toContain("● lead-1 lead, planner: active")
  expect(shown).toContain("├─ → job-1 to worker: claimed, claim_timeout in 59m")
  expect(shown).toContain("│  └─ ● worker-1 worker, writer: active")
  expect(shown).toContain("└─ → job-2 to worker: offered, offer_timeout in 59m")
  expect(shown).toMatch(new RegExp(`^${stepId} +write +admitted +worker-1 +document a$`, "m"))

  expect(await run("limits", "raise", "wf-1", "--max-cost", "50", "--max-duration", "48h")).toEqual({
    code: 0,
    out: "Raised for wf-1: max_cost 50, max_duration 48h.\n",
    err: "",
  })
  const json = JSON.parse((await look("workflows", "show", "wf-1", "--json")).out)
  expect(json).toMatchObject({ workflow_id: "wf-1", status: "active", ledger: { cost: { reserved: 0.02, max: 50 } } })

  const killed = await run("kill", "wf-1", "--yes", "--json", "--reason", "closed")
  expect(JSON.parse(killed.out)).toMatchObject({
    scope: "workflow",
    actor: "operator:dana",
    reason: "closed",
    sessions: ["lead-1", "worker-1"],
    orphaned_steps: [{ step_id: stepId }],
    state: "fenced",
  })
  expect((await look("workflows", "show", "wf-1")).out).toMatch(new RegExp(`^${stepId} +write +orphaned `, "m"))
  const resolved = await run(
    "resolve",
    "wf-1",
    stepId,
    "--outcome",
    "committed",
    "--cost",
    "0.5",
    "--reason",
    "it is there",
  )
  expect(resolved).toEqual({ code: 0, out: `${stepId} is late.\n`, err: "" })
  const again = await run("kill", "wf-1", "--yes")
  expect(again.out).toContain("quiescent: nothing of it is left to be found out.")

  const lines = (await look("events", "wf-1", "--after", "5")).out.trimEnd().split("\n")
  expect(lines.map((line) => line.trim().split(/ +/).slice(2, 4).join(" "))).toEqual([
    "limits.raised operator:dana",
    "killed operator:dana",
    "steps.resolved operator:dana",
  ])
  expect((await look("events", "wf-1", "--after", "99")).out).toBe("")
  // On a pipe watch prints a line an event, and ends with the workflow.
  const watched = await look("workflows", "watch", "wf-1", "--json")
  expect(
    watched.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).seq),
  ).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(watched.code).toBe(0)
})

test("a claimed handoff is taken back, an offer is withdrawn, and a repeated try is refused by its generation", async () => {
  const { run } = await fresh()
  expect((await run("handoffs", "reclaim", "wf-1", "job-1", "--generation", "1")).out).toBe(
    "job-1 is offered, try 2.\n",
  )
  const stale = await run("handoffs", "withdraw", "wf-1", "job-1", "--generation", "1")
  expect(stale).toMatchObject({ code: 1, out: "", err: expect.stringMatching(/^handrail: stale_generation: .+\n$/) })
  const json = await run("handoffs", "withdraw", "wf-1", "job-1", "--json", "--reason", "enough")
  expect(JSON.parse(json.out)).toMatchObject({
    handoff_id: "job-1",
    status: "withdrawn",
    generation: 2,
    reason: "enough",
  })
})

describe("wrong use", () => {
  const cases: ReadonlyArray<readonly [args: ReadonlyArray<string>, code: number, words: string]> = [
    [["workflows", "show", "nope"], 1, "workflow_not_found: "],
    [["workflows", "list", "--status", "activ"], 2, "did you mean `active`?"],
    [["workflows", "list", "--limit", "0"], 2, "--limit is 1 to"],
    [["handoffs", "reclaim", "wf-1", "job-2"], 1, "handoff_not_claimed: "],
    [["handoffs", "reclaim", "wf-1"], 2, "handoffs reclaim needs HANDOFF"],
    [["limits", "raise", "wf-1", "--max-cost", "1"], 1, "limits_only_raise: "],
    [["limits", "raise", "wf-1"], 2, "say which limit"],
    [["limits", "raise", "wf-1", "--max-cost", "lots"], 2, "--max-cost takes an amount like 12.50"],
    [["resolve", "wf-1", "st_none", "--outcome", "aborted", "--reason", "x"], 1, "step_not_found: "],
    [["resolve", "wf-1", "st_none", "--outcome", "gone"], 2, "--outcome is one of committed, aborted"],
    [["resolve", "wf-1", "st_none", "--outcome", "aborted"], 2, "say how you know: --reason TEXT"],
    [["kill", "wf-1", "--scope", "subtree", "--yes"], 2, "--scope subtree needs --session ID"],
    [["kill", "wf-1"], 2, "there is nobody to ask"],
    [["events", "wf-1", "--url", "http://127.0.0.1:9"], 2, "--url and --store exclude each other"],
    [["workflows", "show", "wf/1"], 1, "invalid_request: "],
  ]

  test("is one readable line, nothing on standard output, and 1 for a refusal or 2 for a slip", async () => {
    const { look } = await fresh()
    for (const [args, code, words] of cases) {
      const ran = await look(...args)
      expect(ran.err, args.join(" ")).toContain(words)
      expect(ran.err).not.toMatch(/^ +at /m)
      expect([args, ran.code, ran.out]).toEqual([args, code, ""])
    }
  })

  test("with --json a refusal is JSON too", async () => {
    const { look } = await fresh()
    const { code, err } = await look("workflows", "show", "nope", "--json")
    expect(JSON.parse(err)).toMatchObject({ error: { code: "workflow_not_found", retryable: false } })
    expect(code).toBe(1)
  })

  test("of a store that is not there makes none", async () => {
    const path = join(directoryOf({}), "none.db")
    for (const args of [["workflows", "list"], ["verify"], ["export", "wf-1"], ["doctor"]])
      expect((await here([...args, "--store", `sqlite:${path}`])).code).toBeGreaterThan(0)
    expect(existsSync(path)).toBe(false)
  })

  test("of a server that is away is a refusal", async () => {
    const { code, err } = await here(["doctor", "--url", "http://127.0.0.1:9"])
    expect([code, err]).toEqual([1, ""])
  })
})

describe("before a kill", () => {
  test.each([
    ["yes", 0, "killed"],
    ["y", 1, "active"],
    ["", 1, "active"],
  ])("a person who answers %j ends it with %i: the workflow is %s", async (answer, code, status) => {
    const { store } = await fresh()
    const { err, ...ran } = await here(["kill", "wf-1", "--store", store], { answer })
    expect(err).toContain("This will die: 2 sessions, 2 open handoffs, workflow wf-1 itself.")
    expect(err).toContain("  ● worker-1 worker, writer\n")
    expect(err).toContain("Type yes")
    expect(ran.code).toBe(code)
    const { out } = await here(["workflows", "show", "wf-1", "--json", "--store", store])
    expect(JSON.parse(out).status).toBe(status)
  })

  test("of a subtree only that is shown", async () => {
    const { store } = await fresh()
    const { err } = await here(["kill", "wf-1", "--session", "worker-1", "--store", store], { answer: "no" })
    expect(err).toContain("This will die: 1 session, 1 open handoff of workflow wf-1.")
    expect(err).not.toContain("lead-1")
  })
})

const hasPty = handrailOnPty()
/** `script` gives a command a terminal of its own. */
function handrailOnPty(): ReadonlyArray<string> | undefined {
  const script = ["/usr/bin/script", "/bin/script"].find(existsSync)
  return process.platform === "linux" && script !== undefined ? [script, "-qefc"] : undefined
}

describe.skipIf(hasPty === undefined)("on a real terminal", () => {
  const onPty = (words: string): Running => {
    // `exec`, or a shell that stays in between dies of the Ctrl-C itself and answers 130.
    const command = `exec ${JSON.stringify(process.execPath)} ${JSON.stringify(join(import.meta.dirname, "../../dist/cli/main.js"))} ${words}`
    return new Running([command, "/dev/null"], { env: { TERM: "xterm", COLUMNS: "100" } }, hasPty)
  }

  test("watch draws the tree anew, and Ctrl-C ends it and leaves the last picture", async () => {
    const { store, run } = await fresh()
    const watch = onPty(`workflows watch wf-1 --store ${store}`)
    await watch.printed(/job-2.*offered/)
    await run("handoffs", "withdraw", "wf-1", "job-2")
    await watch.printed(/job-2.*withdrawn/)
    watch.type("\u0003")
    const { code, out } = await watch.ended
    expect(out.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true)
    expect(out.split("\u001b[?1049l").at(-1)).toMatch(/job-2.*withdrawn/)
    expect(code).toBe(0)
  })

  test("kill asks, and kills at yes", async () => {
    const { store } = await fresh()
    const kill = onPty(`kill wf-1 --store ${store}`)
    await kill.printed(/Type yes: /)
    kill.type("yes\r")
    await kill.printed(/fenced/)
    expect((await kill.ended).code).toBe(0)
  })
})

test("without a person, kill as a process does nothing unless it is told yes", async () => {
  const { store, look } = await fresh()
  expect(handrail(["kill", "wf-1", "--store", store])).toMatchObject({ code: 2, out: "" })
  expect(JSON.parse((await look("workflows", "list", "--json")).out).items[0].status).toBe("active")
})
