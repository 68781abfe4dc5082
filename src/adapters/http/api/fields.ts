/**
 * The small words of the wire: ids, amounts, counts and what several bodies share. snake_case, as wire.md writes it.
 *
 * These schemas are plain: what is decoded is what was sent. Names and money change their form in `wire/cases.ts`, nowhere
 * else.
 */
import { Schema } from "effect"
import * as Ids from "../../../machines/ids.ts"

export const opt = <S extends Schema.Constraint>(schema: S): Schema.optionalKey<S> => Schema.optionalKey(schema)
export const list = <S extends Schema.Constraint>(item: S, max: number, min = 0) =>
  Schema.Array(item).check(Schema.isMinLength(min), Schema.isMaxLength(max))

export const WorkflowId = Ids.WorkflowId.annotate({ identifier: "WorkflowId", examples: [Ids.WorkflowId.make("wf_1")] })
export const SessionId = Ids.SessionId.annotate({ identifier: "SessionId", examples: [Ids.SessionId.make("s_1")] })
export const HandoffId = Ids.HandoffId.annotate({ identifier: "HandoffId", examples: [Ids.HandoffId.make("h_1")] })
export const StepId = Ids.StepId.annotate({ identifier: "StepId", examples: [Ids.StepId.make("st_1")] })
export const KillId = Ids.KillId.annotate({ identifier: "KillId", examples: [Ids.KillId.make("k_1")] })
export const PreparedRequestId = Ids.PreparedRequestId.annotate({
  identifier: "PreparedRequestId",
  examples: [Ids.PreparedRequestId.make("p_1")],
})
export const Name = Ids.Name.annotate({ identifier: "Name", examples: ["code-scanner"] })
export const Text = Ids.Text.annotate({ identifier: "Text" })
export const Count = Ids.Count
export const Positive = Ids.Positive

/** What a caller says that something costs; a finer amount is rounded up. */
export const Money = Schema.toEncoded(Ids.Money).annotate({
  identifier: "Money",
  description: "A decimal amount. Micro-units are counted; a finer amount is rounded up.",
  examples: [0.02],
})
/** An amount in an answer: at most six decimal places. */
export const Amount = Schema.Finite.annotate({ identifier: "Amount", description: "At most six decimal places." })
/** Any JSON that a caller sends. The runtime copies and bounds it. */
export const AnyJson = Ids.JsonValue
/** Any JSON in an answer. */
export const Json = Schema.Json.annotate({ identifier: "Json", description: "Any JSON value." })
export const Moment = Schema.Int.annotate({ identifier: "Moment", description: "Epoch milliseconds." })

export const ResourceRef = Schema.Struct({ name: Name, key: Name }).annotate({ identifier: "ResourceRef" })
export const Fence = Schema.Struct({ name: Name, key: Name, token: Positive }).annotate({
  identifier: "Fence",
  description: "A fencing token, to hand to the system that the step changes. It only grows.",
})
export const Artifact = Schema.Struct({
  uri: Ids.Artifact.fields.uri,
  hash: Ids.Artifact.fields.hash,
  media_type: Ids.Artifact.fields.mediaType,
}).annotate({ identifier: "Artifact" })

/** A number in a path or a query. */
export const CountText = Schema.String.check(
  Schema.isPattern(/^(0|[1-9][0-9]{0,15})$/u, { expected: "a whole number of 0 or more" }),
).annotate({ identifier: "CountText", examples: ["100"] })
