/** Fences as every checker takes them: checked, and in one order, so that two writers never wait for each other. */
import { Schema } from "effect"
import { Fence, type ResourceRef, resourceKey } from "../../machines/ids.ts"
import { FenceError } from "./errors.ts"

const isFence = Schema.is(Fence)

/** One fence. Throws `FenceError` with code `invalid`. */
export const checkedFence = (fence: unknown): Fence => {
  if (isFence(fence)) return fence
  throw new FenceError("invalid", "A fence is { name, key, token }, as a tool's context.fences gives it.")
}

/** At least one, each resource at most once; sorted by name and key. Throws `FenceError` with code `invalid`. */
export const checkedFences = (fences: ReadonlyArray<unknown>): readonly [Fence, ...ReadonlyArray<Fence>] => {
  const [first, ...rest] = fences.map(checkedFence).toSorted(inOrder)
  if (first === undefined)
    throw new FenceError("invalid", "There is no fence: the call holds no resource, so nothing can guard its write.")
  const all: readonly [Fence, ...ReadonlyArray<Fence>] = [first, ...rest]
  const twice = rest.find((fence, index) => {
    const before = all[index]
    return before !== undefined && resourceKey(before) === resourceKey(fence)
  })
  if (twice !== undefined) throw new FenceError("invalid", `${twice.name}/${twice.key} has two fences.`)
  return all
}

/** By code units, as every process sorts them, whatever its language. */
const inOrder = (left: ResourceRef, right: ResourceRef): number => {
  const [a, b] = [resourceKey(left), resourceKey(right)]
  return a < b ? -1 : a > b ? 1 : 0
}
