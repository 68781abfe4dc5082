/** A governor that does what the test says, and remembers what it was told. */
import type { Governor, ModelAnswer, ModelRequest, ModelUsage, Verdict } from "../../../src/sdk/governor/Turn.ts"
import type { GovernedClientErrors } from "../../../src/sdk/providers/governedClient.ts"

export interface FakeTurn {
  readonly request: ModelRequest
  answer: ModelAnswer | undefined
  /** `none` while it is open. */
  ended: "none" | "finished" | "failed"
  usage: ModelUsage | undefined
}

export interface FakeOptions {
  readonly removed?: ReadonlyArray<string>
  readonly notice?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly blocked?: (callId: string, tool: string) => boolean
  /** So many answers with a blocked call are fed back. */
  readonly retries?: number
  readonly begin?: () => Error | undefined
  /** A turn begins no sooner. */
  readonly beginAfter?: Promise<unknown>
  readonly finish?: (answer: ModelAnswer) => Error | undefined
  readonly signal?: AbortSignal
}

export interface FakeGovernor extends Governor {
  readonly turns: ReadonlyArray<FakeTurn>
  readonly last: () => FakeTurn
}

export const fakeGovernor = (options: FakeOptions = {}): FakeGovernor => {
  const turns: Array<FakeTurn> = []
  const end = (turn: FakeTurn, ended: "finished" | "failed", usage: ModelUsage | undefined) => {
    if (turn.ended !== "none") throw new Error(`a turn that has ${turn.ended} has ${ended} again`)
    turn.ended = ended
    turn.usage = usage
  }
  return {
    turns,
    last: () => turns.at(-1)!,
    begin: async (request) => {
      const refused = options.begin?.()
      if (refused !== undefined) throw refused
      await options.beginAfter
      const turn: FakeTurn = { request, answer: undefined, ended: "none", usage: undefined }
      turns.push(turn)
      return {
        removed: new Set(options.removed),
        notice: options.notice,
        headers: options.headers ?? {},
        signal: options.signal ?? new AbortController().signal,
        finish: async (answer): Promise<Verdict> => {
          end(turn, "finished", answer.usage)
          turn.answer = answer
          const refusedAnswer = options.finish?.(answer)
          if (refusedAnswer !== undefined) throw refusedAnswer
          const blocked = answer.calls.filter(({ callId, tool }) => options.blocked?.(callId, tool) === true)
          const why = new Map(blocked.map(({ callId }) => [callId, `${callId} is blocked`]))
          if (blocked.length === 0 || request.attempt >= (options.retries ?? 0)) {
            return { removed: why, retry: false, feedback: new Map() }
          }
          const feedback = new Map(answer.calls.map(({ callId }) => [callId, `fed back ${callId}`]))
          return { removed: new Map(), retry: true, feedback }
        },
        fail: async (usage) => end(turn, "failed", usage),
      }
    },
  }
}

export class Ungoverned extends Error {
  override readonly name = "Ungoverned"
}

export class Unsupported extends Error {
  override readonly name = "Unsupported"
}

export const errors: GovernedClientErrors = {
  unsupportedClient: (found, supported) => new Unsupported(`found ${found}; supported is ${supported}`),
  ungovernedEndpoint: (endpoint, why) => new Ungoverned(`${endpoint}: ${why}`),
}
