/**
 * Calls to the nodes: a command goes to some node, and an answer comes, or the node dies, or the caller stops waiting. A call
 * that was not answered may have been carried out all the same; whoever has a key may ask again, on any node.
 */
import { Effect } from "effect"
import type { Answers } from "../../machines/answers.ts"
import type { CommandName, InputOf } from "../../machines/commands.ts"
import type { Tenant } from "../../machines/ids.ts"
import type { Code } from "../../machines/refusals.ts"
import { decodeCommand } from "../../runtime/decode.ts"
import { WorkflowError } from "../../runtime/errors.ts"
import type { Chance } from "./Chance.ts"
import type { Birth } from "./definitions.ts"
import type { History } from "./History.ts"
import type { Host } from "./Host.ts"
import type { Node } from "./Node.ts"
import type { Trace } from "./Trace.ts"
import type { World } from "./World.ts"

export type Sendable = Exclude<CommandName & keyof Answers, "tick">

export type Reply<A> =
  | { readonly ok: true; readonly answer: A }
  | { readonly ok: false; readonly code: Code | "node_down" | "gave_up" }

export interface Letter<K extends Sendable> {
  readonly tenant: Tenant
  readonly agent: string
  readonly workflowId: string
  readonly name: K
  readonly input: InputOf<K>
  readonly key: string | undefined
  readonly operator?: string
}

export interface Patience {
  /** Milliseconds after which the caller doesn't wait any longer; 0 waits for ever. */
  readonly patienceMs: number
  readonly retryRate: number
  readonly tries: number
  /** Always this node; else any, anew for each try. */
  readonly node?: Node
}

/** Sends it to a node; undefined where that is down. */
type Post<A> = (node: Node) => Promise<A> | undefined

export interface CallsOptions {
  readonly world: World
  /** Where the callers run. */
  readonly host: Host
  readonly nodes: ReadonlyArray<Node>
  readonly history: History
  readonly trace: Trace
  readonly chance: Chance
  readonly birth: Birth
}

/** The call may have been carried out, or not. */
const ambiguous: ReadonlyArray<string> = ["storage_unavailable", "node_down", "gave_up"]

export class Calls {
  readonly #options: CallsOptions
  /** Calls that were made and not answered, by number: what each is. */
  readonly pending = new Map<number, string>()
  /** Calls that each agent has made. */
  readonly #made = new Map<string, number>()
  #count = 0

  constructor(options: CallsOptions) {
    this.#options = options
  }

  madeBy(tenant: Tenant, agent: string): number {
    return this.#made.get(`${tenant}/${agent}`) ?? 0
  }

  /**
   * Sends a command to some node, and again under the same key, on any node, as long as it is not known what became of it.
   */
  send<K extends Exclude<Sendable, "createRoot">>(
    letter: Letter<K>,
    patience: Patience,
  ): Effect.Effect<Reply<Answers[K]>> {
    const { tenant, name, input, workflowId } = letter
    return this.#attempts(letter, patience, (node) => {
      // Half of the callers know where their session is.
      const place = this.#options.chance.chance(0.5) ? { workflowId } : {}
      return node.client(tenant)?.execute(name, input, { ...optionsOf(letter), ...place })
    })
  }

  /** Its definition is compiled once for all runs, so it goes past the client, which would do it for each. */
  createRoot(letter: Letter<"createRoot">, patience: Patience): Effect.Effect<Reply<Answers["createRoot"]>> {
    const { birth } = this.#options
    return this.#attempts(letter, patience, (node) => {
      const { governance } = node
      if (governance === undefined) return undefined
      const { input, tenant, key } = letter
      return new Promise<Answers["createRoot"]>((resolve, reject) => {
        const command = decodeCommand("createRoot", { ...input, definitionHash: birth.rules.hash })
        if (command instanceof WorkflowError) throw command
        governance.submit(command, { tenant, actor: input.agent, key, birth }, (error, answer) => {
          if (error === undefined) resolve(answer as Answers["createRoot"])
          else reject(error)
        })
      })
    })
  }

  #attempts<A extends object>(letter: Letter<Sendable>, patience: Patience, post: Post<A>): Effect.Effect<Reply<A>> {
    const { chance, nodes } = this.#options
    const attempt = (left: number): Effect.Effect<Reply<A>> =>
      Effect.suspend(() => {
        const node = patience.node ?? chance.pick(nodes)
        if (node === undefined) return Effect.succeed({ ok: false, code: "node_down" } as const)
        return Effect.flatMap(this.#attempt(letter, node, patience.patienceMs, post), (reply) => {
          if (reply.ok || left === 0 || !ambiguous.includes(reply.code) || !chance.chance(patience.retryRate))
            return Effect.succeed(reply)
          return Effect.delay(attempt(left - 1), chance.between(1, 50))
        })
      })
    return attempt(patience.tries)
  }

  #attempt<A extends object>(
    letter: Letter<Sendable>,
    node: Node,
    patienceMs: number,
    post: Post<A>,
  ): Effect.Effect<Reply<A>> {
    return Effect.callback<Reply<A>>((resume) => {
      const { world, host, history } = this.#options
      const call = history.begin(letter)
      this.#made.set(`${letter.tenant}/${letter.agent}`, this.madeBy(letter.tenant, letter.agent) + 1)
      this.#count += 1
      const number = this.#count
      let waiting = true
      const tell = (reply: Reply<A>): void => {
        if (!waiting) return
        waiting = false
        world.schedule(host, () => resume(Effect.succeed(reply)))
      }
      const sent = post(node)
      if (sent === undefined) return tell({ ok: false, code: "node_down" })
      world.settled()
      this.pending.set(number, describe(letter, node))
      const forget = node.calling(() => {
        this.pending.delete(number)
        this.#line(node, letter, "node_down, in the middle of it")
        tell({ ok: false, code: "node_down" })
      })
      const giveUp = (): void => {
        if (!waiting) return
        this.#line(node, letter, "gave_up, it may be answered still")
        tell({ ok: false, code: "gave_up" })
      }
      const stop = patienceMs === 0 ? undefined : world.after(patienceMs * 1000, host, giveUp)
      const over = (): boolean => {
        stop?.()
        forget()
        // A promise of a dead node may still be settled: nobody hears it.
        return this.pending.delete(number)
      }
      sent.then(
        (answer) => {
          if (!over()) return
          this.#line(node, letter, `ok${shown(answer)}`)
          this.#guarded(() => history.answered(call, answer))
          tell({ ok: true, answer })
        },
        (error: unknown) => {
          if (!over()) return
          if (!(error instanceof WorkflowError)) return world.violated(error)
          this.#line(node, letter, error.code)
          this.#guarded(() => history.refused(call, error))
          tell({ ok: false, code: error.code })
        },
      )
    })
  }

  #guarded(check: () => void): void {
    try {
      check()
    } catch (violation) {
      this.#options.world.violated(violation)
    }
  }

  #line(node: Node, letter: Letter<Sendable>, verdict: string): void {
    const { trace } = this.#options
    trace.line(`${describe(letter, node)} → ${verdict}`)
    trace.count(`${letter.name} ${verdict.split(" ", 1)[0]}`)
  }
}

const optionsOf = ({ key, operator }: Letter<Sendable>) => ({
  ...(key === undefined ? {} : { idempotencyKey: key }),
  ...(operator === undefined ? {} : { operator }),
})

const describe = ({ agent, tenant, name, input, key, workflowId }: Letter<Sendable>, node: Node): string =>
  `${node.name} ${agent} ${name} ${tenant}/${workflowId}${key === undefined ? "" : ` key=${key}`} ${JSON.stringify(input)}`

const shown = (answer: object): string => ("seq" in answer ? ` at ${String(answer.seq)}` : "")
