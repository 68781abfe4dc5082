/**
 * What every agent process does besides its work: it opens the store or reaches the server, takes its orders, and says what became of it.
 *
 * An agent knows its own handoff and the runtime, nobody else. Orders come as one JSON argument; a line on standard input is a
 * permission to go on, where the demo wants to decide the moment; a line of JSON on standard output is a report. When its
 * standard input ends, whoever started it is gone, and so it goes too.
 */
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Client, ReplaySession, Tools } from "handrail"
import { Handrail, ReplayKillError, replay, WorkflowError } from "handrail"
import { type ArtifactRef, readArtifact, writeArtifact } from "../artifact.ts"
import type { Assignment, Behaviour, Report, Said } from "../orders.ts"

const governance = fileURLToPath(new URL("../governance/", import.meta.url))

export class Agent {
  readonly assignment: Assignment
  readonly runtime: Client
  readonly #permissions: AsyncIterator<string>
  #leave: ((reason: string) => Promise<unknown>) | undefined

  constructor(assignment: Assignment, runtime: Client, permissions: AsyncIterator<string>) {
    this.assignment = assignment
    this.runtime = runtime
    this.#permissions = permissions
  }

  get behaviour(): Behaviour {
    return this.assignment.behaviour ?? {}
  }

  /** The session of this process: the root of a new workflow, or the claim of the handoff that it was started for. */
  session<T extends Tools>(tools: T): ReplaySession<T> {
    const { agent, handoff, role, sessionId, workflowId } = this.assignment
    const session = replay(null, {
      agent,
      sessionId,
      contractsDir: join(governance, role),
      tools,
      workflow:
        handoff === undefined
          ? { type: "root", workflowId, role }
          : { type: "child", workflowId, role, parentSessionId: handoff.parentSessionId, handoffId: handoff.handoffId },
      runtime: this.runtime,
    })
    this.#leave = (reason) => session.fail(reason)
    return session
  }

  /** Goes on at once, unless the demo wants to say when. A kill that comes meanwhile is heard. */
  async permission(point: "claim" | "work", signal?: AbortSignal): Promise<void> {
    if (this.behaviour.waitBefore?.includes(point) !== true) return
    say({ kind: "waiting", before: point })
    await orAborted(this.#permissions.next(), signal)
  }

  /** Writes a file of the run for the other agents. */
  write(name: string, text: string, mediaType: string): Promise<ArtifactRef> {
    return writeArtifact(join(this.assignment.folder, name), text, mediaType)
  }

  async giveUp(reason: string): Promise<void> {
    // The session may be over, or may never have begun: then there is nothing to give up.
    await this.#leave?.(reason.slice(0, 500)).catch(() => {})
  }
}

export const say = (report: Report): void => {
  process.stdout.write(`${JSON.stringify({ at: Date.now(), report } satisfies Said)}\n`)
}

/** Runs an agent to its end. Being killed or late for a claim is an end like any other; a failure is told to the workflow. */
export const runAgent = async (work: (agent: Agent) => Promise<void>): Promise<void> => {
  const assignment: Assignment = JSON.parse(process.argv[3] ?? "")
  const lines = createInterface({ input: process.stdin })
  const parentGone = (): void => process.exit(1)
  lines.once("close", parentGone)
  const runtime = await runtimeOf(assignment).catch((error: Error) => {
    say({ kind: "failed", message: error.message })
    process.exit(1)
  })
  const agent = new Agent(assignment, runtime, lines[Symbol.asyncIterator]())
  try {
    await work(agent)
    say({ kind: "done" })
  } catch (error) {
    await explain(error, agent)
  } finally {
    lines.off("close", parentGone)
    lines.close()
    process.stdin.destroy()
    await runtime.close()
  }
}

/** A server where the environment names one, or else the store itself. Nothing else of an agent knows which. */
const runtimeOf = async ({ store }: Assignment): Promise<Client> => {
  const { HANDRAIL_URL: url, HANDRAIL_API_KEY: apiKey } = process.env
  return url === undefined ? Handrail.open({ store: `sqlite:${store}` }) : Handrail.connect({ url, apiKey })
}

const explain = async (error: unknown, agent: Agent): Promise<void> => {
  if (error instanceof ReplayKillError) return say({ kind: "killed", killId: error.killId, reason: error.reason ?? "" })
  if (error instanceof WorkflowError && lostClaims.has(error.code)) {
    return say({ kind: "lost", code: error.code, detail: error.detail, facts: error.facts })
  }
  const message = error instanceof Error ? error.message : String(error)
  await agent.giveUp(message)
  say({ kind: "failed", message })
  process.exitCode = 1
}

const lostClaims: ReadonlySet<string> = new Set(["handoff_already_claimed", "handoff_closed"])

/** What the parent handed over. */
export const handedOver = (session: ReplaySession) => {
  const grant = session.handedOver
  if (grant === null) throw new Error("this session claimed no handoff")
  const { artifacts, summary } = grant
  const field = (name: string): unknown =>
    typeof summary === "object" && summary !== null && !Array.isArray(summary) ? Reflect.get(summary, name) : undefined
  return {
    grant,
    /** A member of the summary, whose presence its schema in workflow.yaml guarantees. */
    text: (name: string): string => {
      const value = field(name)
      if (typeof value !== "string") throw new Error(`the summary has no text ${name}`)
      return value
    },
    field,
    /** The content of an artifact, which must be the one that was handed over. */
    artifact: (name: string): Promise<string> => {
      const found = artifacts.find(({ uri }) => uri.endsWith(`/${name}`))
      if (found === undefined) throw new Error(`no ${name} was handed over`)
      return readArtifact({ uri: found.uri, hash: found.hash })
    },
  }
}

export type HandedOver = ReturnType<typeof handedOver>

/** The promise's value, unless the signal aborts first. */
export const orAborted = <A>(promise: Promise<A>, signal: AbortSignal | undefined): Promise<A> =>
  signal === undefined
    ? promise
    : new Promise<A>((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason)
        if (signal.aborted) return onAbort()
        signal.addEventListener("abort", onAbort, { once: true })
        promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
      })
