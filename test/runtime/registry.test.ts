/** An actor that somebody waits for is never put away: a second one beside it would decide on another state. */
import { expect, it } from "vitest"
import { Tenant, WorkflowId } from "../../src/machines/ids.ts"
import type { ActorHost } from "../../src/runtime/ActorHost.ts"
import { Registry } from "../../src/runtime/Registry.ts"

const tenant = Tenant.make("t")
const workflowId = WorkflowId.make("w")

/** A host whose tasks run when they are told to, and whose store knows no workflow. */
const host = () => {
  const tasks: Array<() => void> = []
  const stub: Pick<ActorHost, "now" | "schedule" | "load" | "enlist" | "rested" | "stages"> = {
    stages: undefined,
    now: () => 5,
    schedule: (task) => void tasks.push(task),
    load: (_tenant, _workflowId, then) => then(undefined, undefined),
    enlist: () => {},
    rested: () => {},
  }
  return { registry: new Registry(stub as ActorHost), run: () => tasks.splice(0).forEach((task) => task()) }
}

it("neither with a request in its mailbox, nor with a batch that is decided or being written", () => {
  const { registry, run } = host()
  const actor = registry.actor(tenant, workflowId)
  const isKept = (): boolean => {
    registry.putAway(actor)
    registry.sweep(0)
    registry.sweep(100)
    return registry.live(tenant, workflowId) === actor
  }
  const answers: Array<string | undefined> = []
  actor.submit({
    _tag: "query",
    read: () => null,
    settle: (error) => void answers.push(error?.code),
    tries: 0,
    archive: undefined,
    readBack: false,
  })
  expect(isKept()).toBe(true)
  run()
  expect(isKept()).toBe(true)
  expect(actor.takeAppend()?.expectedSeq).toBe(0)
  expect(isKept()).toBe(true)
  actor.appended({ _tag: "appended" })
  expect(answers).toEqual(["workflow_not_found"])
  expect(isKept()).toBe(false)
})
