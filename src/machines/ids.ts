/**
 * Identifiers, money and JSON: the vocabulary that every command, event and table shares.
 *
 * - An id is 1 to 128 characters of `[A-Za-z0-9_.:-]` that starts with a letter or a digit (semantics.md §1). Each kind of
 *   id has its own brand, so a session id can't be passed where a handoff id is meant.
 * - Money is counted in integer micro-units: 1.00 is 1_000_000. A finer amount is rounded up, so nothing is free because
 *   it was small.
 * - A JSON value is detached from its sender before it gets here (`runtime/decode.ts`).
 */
import { Schema, SchemaTransformation } from "effect"

const id = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/u, {
    expected: "an id: 1 to 128 characters of A-Z a-z 0-9 _ . : - that starts with a letter or a digit",
  }),
)

export const WorkflowId = id.pipe(Schema.brand("WorkflowId"))
export type WorkflowId = typeof WorkflowId.Type
export const SessionId = id.pipe(Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type
export const HandoffId = id.pipe(Schema.brand("HandoffId"))
export type HandoffId = typeof HandoffId.Type
export const StepId = id.pipe(Schema.brand("StepId"))
export type StepId = typeof StepId.Type
export const KillId = id.pipe(Schema.brand("KillId"))
export type KillId = typeof KillId.Type
export const PreparedRequestId = id.pipe(Schema.brand("PreparedRequestId"))
export type PreparedRequestId = typeof PreparedRequestId.Type
export const Tenant = id.pipe(Schema.brand("Tenant"))
export type Tenant = typeof Tenant.Type
/** A role, tool, agent or resource name: declared in a definition or given by a caller. */
export const Name = id
/** What a store can keep as it was given: no NUL, and no half of a surrogate pair, which UTF-8 has no form for. */
const storable = Schema.isPattern(/^[^\0\p{Cs}]*$/u, { expected: "text without NUL characters and lone surrogates" })
/** Chosen by a caller so that a repeated command changes state at most once (I8). */
export const IdempotencyKey = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(255), storable)

/** Integer micro-units of the currency: 1.00 = 1_000_000. */
export type Micros = number
const maxAmount = 1_000_000_000

/** A decimal amount as micro-units, rounded up; the error of the decimal's own binary form is not rounded up. */
export const toMicros = (amount: number): Micros => {
  const scaled = amount * 1e6
  const nearest = Math.round(scaled)
  return Math.abs(scaled - nearest) <= 2 * Number.EPSILON * scaled ? nearest : Math.ceil(scaled)
}

/** Micro-units as a decimal of at most six places. */
export const fromMicros = (micros: Micros): number => micros / 1e6

/** A decimal amount outside (0 to 1e9), micro-units inside. */
export const Money = Schema.Finite.check(
  Schema.isBetween({ minimum: 0, maximum: maxAmount }, { expected: "an amount of 0 to 1000000000" }),
).pipe(
  Schema.decodeTo(Schema.Int, SchemaTransformation.transform<Micros, number>({ decode: toMicros, encode: fromMicros })),
)

/** A count of things: an integer of 0 to 2^53 - 1. */
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
export const Positive = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))
export const Millis = Count

/** Free text of bounded length: a reason, a title. */
export const Text = Schema.String.check(Schema.isMaxLength(2000), storable)

export type Json = Schema.Json

/** Any value that JSON can hold. The edge copies it before it is decoded, so that the caller can't change it afterwards. */
export const JsonValue: Schema.Codec<unknown, unknown> = Schema.Unknown

/** A resource of a workflow: a name declared in workflow.yaml and the entity that it is about. */
export const ResourceRef = Schema.Struct({ name: Name, key: Name })
export interface ResourceRef {
  readonly name: string
  readonly key: string
}
/** The map key of a resource. Neither part can hold a NUL, so two resources never share a key. */
export const resourceKey = (ref: ResourceRef): string => `${ref.name}\u0000${ref.key}`

/** A fencing token of one resource, to hand to the system that is changed. It only grows. */
export const Fence = Schema.Struct({ name: Name, key: Name, token: Positive })
export interface Fence extends ResourceRef {
  readonly token: number
}

/** A reference to something that a handoff passes on; Handrail stores the reference, never the thing. */
export const Artifact = Schema.Struct({
  uri: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(2048)),
  hash: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(256))),
  mediaType: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(256))),
})
export type Artifact = typeof Artifact.Type
