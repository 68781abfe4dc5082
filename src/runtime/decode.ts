/**
 * Inputs to commands: checked, branded, money in micro-units, JSON detached. The edge at which everything is validated once.
 *
 * A wrong input is `invalid_request` with every mistake and its path; one that is too large is `payload_too_large`.
 */
import { Result, Schema, SchemaIssue } from "effect"
import { bounds } from "../machines/bounds.ts"
import {
  ApproveStep,
  Attach,
  Claim,
  type CommandName,
  type CommandOf,
  Complete,
  CompleteHandoff,
  CreateRoot,
  Fail,
  FailHandoff,
  Heartbeat,
  Kill,
  Offer,
  Preflight,
  Propose,
  RaiseLimits,
  Receipt,
  Reclaim,
  RejectStep,
  Release,
  ResolveStep,
  Tick,
  Withdraw,
} from "../machines/commands.ts"
import type { Json } from "../machines/ids.ts"
import { fail, WorkflowError } from "./errors.ts"
import { type QuickDecoder, quickDecoder, unsure } from "./quickDecoder.ts"

const schemas = {
  createRoot: CreateRoot,
  claim: Claim,
  attach: Attach,
  offer: Offer,
  preflight: Preflight,
  propose: Propose,
  receipt: Receipt,
  heartbeat: Heartbeat,
  release: Release,
  complete: Complete,
  fail: Fail,
  completeHandoff: CompleteHandoff,
  failHandoff: FailHandoff,
  reclaim: Reclaim,
  withdraw: Withdraw,
  kill: Kill,
  resolveStep: ResolveStep,
  approveStep: ApproveStep,
  rejectStep: RejectStep,
  raiseLimits: RaiseLimits,
  tick: Tick,
} as const satisfies { readonly [K in CommandName]: Schema.Constraint }

const decoders = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, quickDecoder(schema)])) as {
  readonly [K in CommandName]: QuickDecoder
}

/** The members in which a caller can send any amount of JSON. */
const heavy = ["summary", "artifacts", "result", "calls", "receipts"] as const

/**
 * The input with its JSON copied, so that the caller can't change what was decided on, and bounded. One pass each way: it
 * stands on the path of every command.
 */
const detach = (name: CommandName, input: object): object | WorkflowError => {
  const copy: Record<string, unknown> = { _tag: name }
  Object.assign(copy, input, { _tag: name })
  let size = 0
  for (const member of heavy) {
    const value = copy[member]
    if (value === undefined) continue
    const text = jsonOf(value)
    if (text === undefined)
      return fail("invalid_request", `${member} of ${name} holds what JSON can't (a cycle, a bigint, a function).`, {
        errors: [{ path: member, message: "Expected a value that JSON can hold" }],
      })
    size += text.length
    copy[member] = typeof value === "object" && value !== null ? JSON.parse(text) : value
    if (isDeeperThan(copy[member], bounds.jsonDepth))
      return fail("invalid_request", `${member} of ${name} is nested more than ${bounds.jsonDepth} levels deep.`, {
        errors: [{ path: member, message: `Expected at most ${bounds.jsonDepth} levels` }],
      })
  }
  if (size <= bounds.commandBytes) return copy
  return fail(
    "payload_too_large",
    `The JSON of ${name} has ${size} characters, more than ${bounds.commandBytes}. Pass large things as artifacts, by reference.`,
    { size, max: bounds.commandBytes },
  )
}

export const isDeeperThan = (value: unknown, levels: number): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (levels === 0) return true
  for (const member of Object.values(value)) if (isDeeperThan(member, levels - 1)) return true
  return false
}

const jsonOf = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/** The command of a caller's input, or why it is none. */
export const decodeCommand = <K extends CommandName>(name: K, input: object): CommandOf<K> | WorkflowError => {
  if (typeof input !== "object" || input === null)
    return fail("invalid_request", `${name} takes an object.`, {
      errors: [{ path: "", message: "Expected an object" }],
    })
  const detached = detach(name, input)
  if (detached instanceof WorkflowError) return detached
  const quick = decoders[name](detached)
  if (quick !== unsure) return quick as CommandOf<K>
  const decoded = Schema.decodeUnknownResult(schemas[name] as Schema.Codec<unknown, unknown>, {
    onExcessProperty: "error",
    errors: "all",
  })(detached)
  return Result.isSuccess(decoded) ? (decoded.success as CommandOf<K>) : invalid(name, decoded.failure)
}

/** Every mistake in an input, with the path of its member. */
export const invalid = (what: string, error: Schema.SchemaError): WorkflowError => {
  const errors = problems(error)
  const list = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ")
  return fail("invalid_request", `${what} is not valid. ${list}`, { errors: errors as unknown as Json })
}

const report = SchemaIssue.makeFormatterStandardSchemaV1()

/** At most 20 problems, each with the path of its member. */
const problems = (error: Schema.SchemaError): ReadonlyArray<{ readonly path: string; readonly message: string }> =>
  report(error.issue)
    .issues.slice(0, 20)
    .map(({ path, message }) => ({
      path: (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join("."),
      message,
    }))
