/** Every part of a state comes back from its snapshot, each in a state that has it (I9). */
import { expect, it } from "vitest"
import { bounds } from "../../src/machines/bounds.ts"
import { restoreSnapshot, takeSnapshot } from "../../src/machines/snapshot.ts"
import type { State } from "../../src/machines/state.ts"
import { ref, Scene, team } from "./Scene.ts"

const restored = (state: State): State =>
  restoreSnapshot(JSON.parse(JSON.stringify(takeSnapshot(state))) as ReturnType<typeof takeSnapshot>, state.rules)

/** All of a state but its rules; of its deadlines the next. */
const everything = (state: State) => ({ ...state, rules: null, deadlines: state.deadlines.earliest(state) })

const comesBack = (scene: Scene): State => {
  const again = restored(scene.state)
  expect(everything(again)).toEqual(everything(scene.state))
  return again
}

it("limits that were raised, of the workflow and of a role", () => {
  const scene = new Scene(team({ limits: { maxSteps: 5, maxDurationMs: 1000 }, devLimits: { maxSteps: 3 } }))
  scene.say({ _tag: "raiseLimits", limits: { maxSteps: 6, maxDurationMs: 2000 } })
  scene.say({ _tag: "raiseLimits", role: "dev", limits: { maxSteps: 4 } })
  const again = comesBack(scene)
  expect([again.limits.maxSteps, again.roleLimits.get("dev")?.maxSteps, again.deadline]).toEqual([6, 4, 3000])
})

it("what is owned, held, waited for, prepared and leased", () => {
  const scene = new Scene(team({ edge: { claimTimeoutMs: 1000, offerTimeoutMs: 5000 } }))
  for (const child of ["c1", "c2"]) scene.child(child)
  scene.say({ _tag: "offer", sessionId: "c1", handoffId: "h3", toRole: "dev", summary: { task: "x" } })
  scene.propose("c1", ["doc a", "line a"])
  scene.propose("c2", ["line a", "env a"])
  scene.say({ _tag: "preflight", sessionId: "root", estimatedCost: 0.5 })
  const again = comesBack(scene)
  expect(Array.from(again.sessions.values(), ({ owns }) => owns.size)).toEqual([0, 1, 0])
  expect(Array.from(again.steps.values(), ({ status }) => status)).toEqual(["admitted", "queued"])
})

it("kills whose orphans are unresolved, a root that was killed alone, and an heir that waits", () => {
  const scene = new Scene()
  scene.propose("root", ["doc a"])
  scene.receipt("root", "step1")
  for (const child of ["c1", "c2"]) scene.child(child, "root", child === "c1" ? ["doc a"] : [])
  scene.propose("c1", ["doc a"])
  scene.say({ _tag: "kill", scope: "session", sessionId: "c1", reason: "stop" })
  expect(comesBack(scene).kills.size).toBe(1)
  scene.say({ _tag: "kill", scope: "session", sessionId: "root", reason: "stop" })
  const again = comesBack(scene)
  expect([again.rootKillId, again.status, again.kills.size]).toEqual(["kill2", "active", 1])
})

it("resources that are free, and that others were put away", () => {
  const scene = new Scene()
  const free = (key: string): void => {
    scene.propose("root", [`doc ${key}`])
    scene.receipt("root", [...scene.state.steps.keys()][0] ?? "none", "aborted")
    scene.say({ _tag: "release", sessionId: "root", resources: [ref(`doc ${key}`)] })
  }
  free("first")
  expect([comesBack(scene).idle.size, scene.state.resourcesForgotten]).toEqual([1, false])
  for (let n = 0; n < bounds.idleResources; n++) free(`d${n}`)
  expect(comesBack(scene).resourcesForgotten).toBe(true)
})
