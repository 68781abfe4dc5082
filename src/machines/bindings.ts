/**
 * Which resources a call binds: those that its caller names and those that its tool's contract takes from the arguments.
 *
 * The contract's are computed here, by the authority, so that an agent without the SDK can't leave one out.
 */
import { Schema } from "effect"
import type { Call } from "./commands.ts"
import type { ToolContract } from "./definition.ts"
import { Name, type ResourceRef } from "./ids.ts"
import { valueAt } from "./paths.ts"
import { type Refusal, refuse } from "./refusals.ts"
import { distinct } from "./resources.ts"

const isName = Schema.is(Name)

/** What the caller names and what the tool's contract binds from the arguments, together. */
export const boundResources = (
  call: Call,
  contract: ToolContract | undefined,
): ReadonlyArray<ResourceRef> | Refusal => {
  const named = call.resources ?? []
  if (contract === undefined || contract.resources.length === 0) return distinct(named)
  const bound: Array<ResourceRef> = [...named]
  for (const { name, key } of contract.resources) {
    const value = "constant" in key ? key.constant : valueAt(call.arguments, key.path)
    const text = typeof value === "number" ? String(value) : value
    if (!isName(text))
      return refuse(
        "invalid_request",
        `The contract of ${call.tool} takes the key of ${name} from $.${
          "path" in key ? key.path.join(".") : ""
        } of the arguments, and there is no id there.`,
        { tool: call.tool, resource: name },
      )
    bound.push({ name, key: text })
  }
  return distinct(bound)
}
