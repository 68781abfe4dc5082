/** The system under test: Handrail as a user embeds it, with its stages measured. */
import { join } from "node:path"
import { Effect, Layer, ManagedRuntime } from "effect"
import { Handrail, type OpenOptions, type Session, WorkflowError } from "handrail"
import { compile, makeRules } from "handrail/definition"
import {
  EmbeddedClient,
  Governance,
  type GovernanceService,
  Journal,
  journalOf,
  StageClock,
  type StageTotals,
} from "handrail/effect"
import { birth, type Command, decide, decideBirth, emptyArchive, evolve, type State, Tenant } from "handrail/machines"
import { serve } from "./handrailHttp.ts"
import { wrap } from "./handrailSdk.ts"
import type { Contest, Opened, Place, Subject } from "./subject.ts"

const workflowYaml = `
schema_version: "1.0"
workflow: bench
roles:
  - { name: lead, root: true }
  - { name: worker, default_cost: 0.01 }
handoffs:
  - { from: lead, to: worker, claim_timeout: 2m, offer_timeout: 1h, completion: requires_progress }
  - { from: worker, to: worker, claim_timeout: 10m, offer_timeout: 1h, completion: any }
limits: { max_sessions: 100000000, max_active_sessions: 100000, max_cost: 100000000 }
`

const call = { tool: "scan", arguments: { path: "src/index.ts", depth: 3 }, estimatedCost: 0.02 }
const summary = { task: "scan", change: "change-42", note: "look at what the change touches and say what is risky" }
const result = { findings: 3, worst: "medium" }

const storeOptions = (place: Place): OpenOptions => {
  if (place.store === "memory") return { store: "memory:" }
  if (place.store === "sqlite") return { store: `sqlite:${join(place.dir, "bench.db")}` }
  return { store: place.url, schema: place.schema }
}

/** A runtime with a stage clock over a store. */
const start = async (place: Place) => {
  const stageClock = Layer.succeed(StageClock, () => performance.now() * 1000)
  const journal = journalOf(storeOptions(place))
  const layer = Governance.layer.pipe(Layer.provideMerge(journal), Layer.provide(stageClock))
  const runtime = ManagedRuntime.make(layer)
  const [governance, store] = await runtime.runPromise(Effect.all([Governance, Journal]))
  const client = new EmbeddedClient({
    governance,
    tenant: Tenant.make("default"),
    run: (effect) => runtime.runPromiseExit(effect),
    close: () => runtime.dispose(),
  })
  return { client, governance, journal: store }
}

const lifecycle = async (client: EmbeddedClient, root: Session): Promise<void> => {
  const { workflowId, sessionId: parentSessionId } = root
  const { handoffId } = await root.handoff({ toRole: "worker", summary })
  const child = await client.claim({ workflowId, handoffId, parentSessionId, role: "worker", agent: "worker" })
  const [step] = await child.propose({ calls: [call] })
  if (step === undefined) throw new Error("no step was admitted")
  await child.receipt({ receipts: [{ stepId: step.stepId, outcome: "committed", actualCost: 0.02 }] })
  await child.complete({ result })
}

/** Per command and stage, since the last reading. */
const stageReader = (governance: GovernanceService, journal: Journal["Service"]) => {
  let runtimeBefore: StageTotals = { mailbox: 0, decide: 0, encode: 0, answer: 0, commands: 0 }
  let storeBefore: Readonly<Record<string, number>> = {}
  return (): Readonly<Record<string, number>> => {
    const now = governance.stages() ?? runtimeBefore
    const store = journal.stages()
    const commands = Math.max(1, now.commands - runtimeBefore.commands)
    const of = (name: keyof StageTotals) => (now[name] - runtimeBefore[name]) / commands
    const stored = (name: string) => ((store[name] ?? 0) - (storeBefore[name] ?? 0)) / commands
    // A store tells the stages that it has; what it encodes is called packing here, the runtime encodes too.
    const inStore = Object.keys(store).map((name) => [name === "encode" ? "pack" : name, stored(name)] as const)
    const reading = {
      mailbox: of("mailbox"),
      decide: of("decide"),
      encode: of("encode"),
      ...Object.fromEntries(inStore),
      answer: of("answer"),
    }
    runtimeBefore = now
    storeBefore = { ...store }
    return reading
  }
}

const open = async (place: Place): Promise<Opened> => {
  const { client, governance, journal } = await start(place)
  const roots: Array<Promise<Session> | undefined> = []
  return {
    lifecycle: async (index) => {
      roots[index] ??= client.createRoot({
        workflowId: `wf-${index}`,
        role: "lead",
        agent: "lead",
        definition: workflowYaml,
      })
      const root = await roots[index]
      await lifecycle(client, root)
    },
    stages: stageReader(governance, journal),
    close: () => client.close(),
  }
}

/** The rules alone, on one workflow in memory. */
const rules = (): ((count: number) => void) => {
  const compiled = compile({ file: "workflow.yaml", text: workflowYaml })
  if (!compiled.ok) throw new Error("the benchmark's definition does not compile")
  const made = makeRules(compiled.artifact)
  let state: State | undefined
  let ids = 0
  const now = 1_790_000_000_000
  const facts = {
    now,
    actor: "bench",
    id: (kind: string) => `${kind}_${(ids++).toString(36)}` as never,
    archive: emptyArchive,
  }
  const run = (command: unknown): never => {
    const decision =
      state === undefined
        ? decideBirth("wf", command as Command, made, facts)
        : decide(state, command as Command, facts)
    if (decision._tag === "refused") throw new Error(decision.refusal.detail)
    for (const body of decision.events) {
      const event = { seq: (state?.seq ?? 0) + 1, at: now, actor: "bench", body }
      state ??= birth(event, made)
      evolve(state, event, [])
    }
    return decision.answer as never
  }
  const root: { sessionId: string } = run({
    _tag: "createRoot",
    workflowId: "wf",
    role: "lead",
    agent: "lead",
    definitionHash: made.hash,
  })
  const micros = 20_000
  return (count) => {
    for (let done = 0; done < count; done += 5) {
      const offered: { handoffId: string } = run({
        _tag: "offer",
        sessionId: root.sessionId,
        toRole: "worker",
        summary,
      })
      const { sessionId }: { sessionId: string } = run({
        _tag: "claim",
        workflowId: "wf",
        handoffId: offered.handoffId,
        parentSessionId: root.sessionId,
        role: "worker",
        agent: "worker",
      })
      const proposed: { steps: ReadonlyArray<{ stepId: string }> } = run({
        _tag: "propose",
        sessionId,
        calls: [{ ...call, estimatedCost: micros }],
      })
      run({
        _tag: "receipt",
        sessionId,
        receipts: [{ stepId: proposed.steps[0]?.stepId, outcome: "committed", actualCost: micros }],
      })
      run({ _tag: "complete", sessionId, result })
    }
  }
}

const stepsAtOnce = 64
/** Commits `count` steps of a session, many to a command: how a long history comes about quickly. */
const commitSteps = async (session: Session, count: number): Promise<void> => {
  const calls = Array.from({ length: stepsAtOnce }, () => ({ tool: "scan", estimatedCost: 0 }))
  const batch = async (size: number) => {
    const steps = await session.propose({ calls: calls.slice(0, size) })
    await session.receipt({ receipts: steps.map(({ stepId }) => ({ stepId, outcome: "committed" as const })) })
  }
  const lanes = 16
  for (let left = count; left > 0; left -= lanes * stepsAtOnce)
    await Promise.all(
      Array.from({ length: lanes }, (_, lane) => Math.min(stepsAtOnce, left - lane * stepsAtOnce))
        .filter((size) => size > 0)
        .map(batch),
    )
}

const history = async (dir: string, committedSteps: number) => {
  const store = `sqlite:${join(dir, "history.db")}`
  const builder = await Handrail.open({ store, synchronous: "normal" })
  const root = await builder.createRoot({ workflowId: "long", role: "lead", agent: "lead", definition: workflowYaml })
  await commitSteps(root, committedSteps)
  await builder.close()
  const runtime = await Handrail.open({ store })
  const long = await runtime.attach({ sessionId: root.sessionId }, { workflowId: "long" })
  const fresh = await runtime.createRoot({ workflowId: "fresh", role: "lead", agent: "lead", definition: workflowYaml })
  const sessions = { long, fresh }
  const open: { long?: string | undefined; fresh?: string | undefined } = {}
  return {
    openStore: async () => {
      const opened = await Handrail.open({ store })
      return {
        openLong: async () => {
          await opened.attach({ sessionId: root.sessionId }, { workflowId: "long" })
        },
        close: () => opened.close(),
      }
    },
    // A proposal and its receipt take turns, so that nothing piles up.
    command: async (on: "long" | "fresh") => {
      const stepId = open[on]
      if (stepId === undefined) {
        const [step] = await sessions[on].propose({ calls: [{ tool: "scan", estimatedCost: 0 }] })
        open[on] = step?.stepId
      } else {
        await sessions[on].receipt({ receipts: [{ stepId, outcome: "committed" }] })
        open[on] = undefined
      }
    },
    close: () => runtime.close(),
  }
}

/** A root with a hundred children, and theirs, until there are that many sessions. */
const killTree = async (place: Place, sessions: number) => {
  const runtime = await Handrail.open(storeOptions(place))
  const root = await runtime.createRoot({ workflowId: "tree", role: "lead", agent: "lead", definition: workflowYaml })
  const child = async (parent: Session): Promise<Session> => {
    const { handoffId } = await parent.handoff({ toRole: "worker" })
    const { workflowId, sessionId: parentSessionId } = parent
    return runtime.claim({ workflowId, handoffId, parentSessionId, role: "worker", agent: "worker" })
  }
  const top = await Promise.all(Array.from({ length: 100 }, () => child(root)))
  const left = sessions - 1 - top.length
  for (let made = 0; made < left; made += 200)
    await Promise.all(
      Array.from({ length: Math.min(200, left - made) }, (_, i) => child(top[(made + i) % top.length] as Session)),
    )
  return {
    kill: async () => {
      const receipt = await runtime.kill({
        workflowId: "tree",
        scope: "subtree",
        sessionId: root.sessionId,
        reason: "bench",
      })
      if (receipt.counts.sessions !== sessions)
        throw new Error(`killed ${receipt.counts.sessions} of ${sessions} sessions`)
    },
    close: () => runtime.close(),
  }
}

/** The claimants sit in several runtimes that know of each other by the store alone; the handoff is offered in the first. */
const contest = async (place: Place, runtimes: number, claimants: number): Promise<Contest> => {
  const opened: Handrail[] = []
  const close = async () => {
    await Promise.all(opened.map((runtime) => runtime.close()))
  }
  try {
    // One after the other: the first makes the tables.
    for (let at = 0; at < runtimes; at++) opened.push(await Handrail.open(storeOptions(place)))
    const [first] = opened
    if (first === undefined) throw new Error("a contest needs a runtime")
    const root = await first.createRoot({ workflowId: "wf", role: "lead", agent: "lead", definition: workflowYaml })
    let winner: Session | undefined
    return {
      next: async () => {
        await winner?.fail("the contest is over")
        const { handoffId } = await root.handoff({ toRole: "worker", summary })
        const claim = { workflowId: "wf", handoffId, parentSessionId: root.sessionId, role: "worker" }
        return Array.from({ length: claimants }, (_, claimant) => async () => {
          const runtime = opened[claimant % runtimes] ?? first
          try {
            winner = await runtime.claim({ ...claim, agent: `worker-${claimant}` })
            return true
          } catch (error) {
            if (error instanceof WorkflowError && error.code === "handoff_already_claimed") return false
            throw error
          }
        })
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

export const handrail: Subject = { name: "handrail", open, rules, history, killTree, contest, serve, wrap }
