/** A resource that nothing holds may be put away, and comes back with the counters that it had (semantics.md §6, §10, I4, I9). */
import { expect, it } from "vitest"
import { bounds } from "../../src/machines/bounds.ts"
import { birth, evolve } from "../../src/machines/evolve/index.ts"
import { ref, Scene } from "./Scene.ts"

/** Takes and lets go of as many other resources as it needs to put away all that were free before. */
const forgetAll = (scene: Scene): void => {
  for (let n = 0; n <= bounds.idleResources; n++) {
    const proposed = scene.propose("root", [`env other${n}`]) as { readonly steps: ReadonlyArray<{ stepId: string }> }
    scene.receipt("root", proposed.steps[0]?.stepId ?? "none", "aborted")
  }
}
const held = (scene: Scene, of: string): boolean =>
  Array.from(scene.state.resources.values(), ({ ref: at }) => `${at.name} ${at.key}`).includes(of)

it("its next grant is newer than every one before, and a fold of the journal alone says the same", () => {
  const scene = new Scene()
  scene.propose("root", ["env a"])
  scene.receipt("root", "step1")
  forgetAll(scene)
  expect(held(scene, "env a")).toBe(false)
  expect(scene.propose("root", ["env a"])).toMatchObject({ steps: [{ fences: [{ ...ref("env a"), token: 2 }] }] })
  const of = (state: Scene["state"]) =>
    Array.from(state.resources.values()).find(({ ref: at }) => at.name === "env" && at.key === "a")
  expect(of(scene.state)).toMatchObject({ fence: 2, version: 1 })
  const [first, ...rest] = scene.events
  if (first === undefined) throw new Error("a scene begins with its root")
  const again = evolve(birth(first, scene.state.rules), first)
  for (const event of rest) evolve(again, event)
  expect(of(again)).toEqual(of(scene.state))
})

it("a step that waits for another one holds it with the counters that it had", () => {
  const scene = new Scene()
  scene.propose("root", ["env a"])
  scene.receipt("root", "step1")
  forgetAll(scene)
  scene.child("c1")
  const first = scene.propose("c1", ["line b"]) as { readonly steps: ReadonlyArray<{ stepId: string }> }
  expect(scene.propose("root", ["env a", "line b"])).toMatchObject({ steps: [{ status: "queued", fences: [] }] })
  scene.receipt("c1", first.steps[0]?.stepId ?? "none")
  const [waited] = [...scene.state.steps.values()]
  expect(waited).toMatchObject({
    status: "admitted",
    fences: [
      { ...ref("env a"), token: 2 },
      { ...ref("line b"), token: 2 },
    ],
  })
})

it("a claim that binds it gets a newer token too", () => {
  const scene = new Scene()
  scene.propose("root", ["doc a"])
  scene.receipt("root", "step1")
  scene.say({ _tag: "release", sessionId: "root", resources: [ref("doc a")] })
  forgetAll(scene)
  expect(held(scene, "doc a")).toBe(false)
  scene.child("c1", "root", ["doc a"])
  expect(scene.propose("c1", ["doc a"])).toMatchObject({ steps: [{ fences: [{ ...ref("doc a"), token: 2 }] }] })
})

it("one that is held again is not put away, however many become free after it", () => {
  const scene = new Scene()
  scene.propose("root", ["env a"])
  scene.receipt("root", "step1")
  scene.propose("root", ["env a"])
  forgetAll(scene)
  expect(held(scene, "env a")).toBe(true)
  expect(scene.propose("root", ["env a"])).toBe("resource_pending")
})

it("those that are free are bounded", () => {
  const scene = new Scene()
  forgetAll(scene)
  forgetAll(scene)
  expect(scene.state.resources.size).toBeLessThanOrEqual(bounds.idleResources)
  expect(scene.state.idle.size).toBeLessThanOrEqual(bounds.idleResources)
})
