/** Clients that stand before a real one: some calls fail as a store does, or are counted. */
import { type CallOptions, type Client, Session } from "../../src/index.ts"
import { SessionId, WorkflowId } from "../../src/machines/ids.ts"
import { fail } from "../../src/runtime/errors.ts"

type Name = "propose" | "receipt" | "complete" | "createRoot" | "claim" | "events" | "getHandoff"

/** The same client, but a method goes through `before`, which may throw, and `after`; so do the sessions that it opens. */
const intercepted = (
  client: Client,
  name: Name,
  before: (...args: ReadonlyArray<unknown>) => void,
  after: () => Promise<void> = async () => {},
): Client => {
  const outer: Client = new Proxy(client, {
    get: (target, member) => {
      const value: unknown = Reflect.get(target, member, target)
      if (typeof value !== "function") return value
      return (...args: ReadonlyArray<unknown>) => {
        if (member === name) before(...args)
        const answer: unknown = value.apply(target, args)
        if (!(answer instanceof Promise)) return answer
        return member === name ? answer.then((value) => after().then(() => again(value))) : answer.then(again)
      }
    },
  })
  const again = (answer: unknown): unknown => {
    if (!(answer instanceof Session)) return answer
    const { role, agent, parentSessionId: parent, handedOver: handoff, stateVersion } = answer
    const workflowId = WorkflowId.make(answer.workflowId)
    const sessionId = SessionId.make(answer.sessionId)
    const parentSessionId = parent === null ? null : SessionId.make(parent)
    return new Session(outer, { workflowId, sessionId, role, agent, parentSessionId, handoff, stateVersion, seq: 0 })
  }
  return outer
}

/** The first calls of a method fail with `storage_unavailable`, before they reach the runtime. */
export const flaky = (
  client: Client,
  name: Name,
  times: number,
  onCall: (options: CallOptions | undefined) => void = () => {},
): Client => {
  let failures = 0
  return intercepted(client, name, (_, options) => {
    onCall(options as CallOptions | undefined)
    if (failures >= times) return
    failures += 1
    throw fail("storage_unavailable", "The disk is away.")
  })
}

export const counting = (client: Client, name: Name) => {
  let calls = 0
  const counted = intercepted(client, name, () => {
    calls += 1
  })
  return { client: counted, calls: () => calls }
}

export const watched = (client: Client, name: Name, onCall: (input: unknown) => void): Client =>
  intercepted(client, name, onCall)

/** The answers of a method are given only after something else has happened. */
export const delayed = (client: Client, name: Name, meanwhile: () => Promise<void>): Client =>
  intercepted(client, name, () => {}, meanwhile)
