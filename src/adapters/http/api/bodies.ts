/** The bodies of requests, as wire.md writes them. Whatever is not listed is refused. */
import { Schema } from "effect"
import { bounds } from "../../../machines/bounds.ts"
import {
  AnyJson,
  Artifact,
  Count,
  Fence,
  HandoffId,
  list,
  Money,
  Name,
  opt,
  Positive,
  PreparedRequestId,
  ResourceRef,
  SessionId,
  StepId,
  Text,
  WorkflowId,
} from "./fields.ts"

const strict = { onExcessProperty: "error", errors: "all" } as const
/** A body by its fields, with one example that is true. */
const body = <const F extends Schema.Struct.Fields>(
  identifier: string,
  fields: F,
  example: Schema.Struct<F>["Encoded"],
): Schema.Struct<F> => {
  const schema = Schema.Struct(fields)
  // Decoded, so that an example that has become wrong is noticed at once.
  const examples: [Schema.Struct<F>["Type"]] = [decode<Schema.Struct<F>["Type"]>(schema, example)]
  return schema.annotate({ identifier, parseOptions: strict, examples })
}
const decode = <A>(schema: Schema.Constraint, value: unknown): A =>
  Schema.decodeUnknownSync(schema as Schema.Codec<A, unknown>)(value, strict)

/** Every body under a session: the version that the sender decided on. */
const decidedOn = { expected_version: opt(Count) }
const generation = { generation: opt(Positive) }
const resources = list(ResourceRef, bounds.resourcesPerCall)
const artifacts = list(Artifact, bounds.artifactsPerHandoff)

export const Definition = Schema.Union([
  Schema.String,
  Schema.Struct({
    workflow_yaml: Schema.String,
    files: opt(Schema.Record(Schema.String, Schema.String)),
    file: opt(Schema.String),
  }),
  Schema.Struct({ hash: Schema.String, definition: AnyJson }),
]).annotate({
  identifier: "Definition",
  description: "workflow.yaml as text, with the contracts that it names by path, or a compiled artifact.",
})
const Root = Schema.Struct({
  type: Schema.Literal("root"),
  workflow_id: WorkflowId,
  role: Name,
  definition: Definition,
})
const Child = Schema.Struct({
  type: Schema.Literal("child"),
  workflow_id: WorkflowId,
  role: Name,
  parent_session_id: SessionId,
  handoff_id: HandoffId,
  ...generation,
})
const exampleYaml = `schema_version: "1.0"
workflow: demo
roles:
  - { name: lead, root: true }
  - { name: dev }
handoffs:
  - { from: lead, to: dev }
`
export const CreateSession = body(
  "CreateSession",
  { agent: Name, session_id: opt(SessionId), workflow: Schema.Union([Root, Child]) },
  { agent: "planner", workflow: { type: "root", workflow_id: "wf_1", role: "lead", definition: exampleYaml } },
)

export const Preflight = body(
  "Preflight",
  { estimated_cost: opt(Money), estimated_tokens: opt(Count), ...decidedOn },
  { estimated_cost: 0.05 },
)
const Usage = Schema.Struct({ input_tokens: Count, output_tokens: Count, cost: Money }).annotate({
  identifier: "Usage",
  description: "What the model turn has already cost.",
})
const Call = Schema.Struct({
  tool: Name,
  arguments: opt(AnyJson),
  resources: opt(resources),
  estimated_cost: opt(Money),
  estimated_tokens: opt(Count),
}).annotate({ identifier: "Call" })
export const Propose = body(
  "Propose",
  {
    calls: list(Call, bounds.callsPerProposal),
    prepared_request_id: opt(PreparedRequestId),
    usage: opt(Usage),
    wait: opt(Schema.Boolean),
    ...decidedOn,
  },
  { calls: [{ tool: "scan", arguments: { path: "src" }, resources: [{ name: "repo", key: "42" }] }] },
)
const ReceiptItem = Schema.Struct({
  step_id: StepId,
  outcome: Schema.Literals(["committed", "aborted", "unknown"]),
  actual_cost: opt(Money),
  actual_tokens: opt(Count),
  evidence: opt(AnyJson),
  fences: opt(list(Fence, bounds.resourcesPerCall)),
}).annotate({ identifier: "ReceiptItem" })
export const Receipts = body(
  "Receipts",
  { receipts: list(ReceiptItem, bounds.receiptsPerCommand, 1), ...decidedOn },
  { receipts: [{ step_id: "st_1", outcome: "committed", actual_cost: 0.02 }] },
)
export const Offer = body(
  "Offer",
  {
    to_role: Name,
    handoff_id: opt(HandoffId),
    summary: opt(AnyJson),
    artifacts: opt(artifacts),
    resources: opt(resources),
    ...decidedOn,
  },
  { to_role: "dev", summary: { task: "scan" } },
)
export const Plain = body("Heartbeat", decidedOn, {})
export const Complete = body(
  "Complete",
  { result: opt(AnyJson), artifacts: opt(artifacts), ...decidedOn },
  { result: { findings: 3 } },
)
export const Fail = body("Fail", { reason: Text, ...decidedOn }, { reason: "the tests do not pass" })
export const Release = body(
  "Release",
  { resources: list(ResourceRef, bounds.resourcesPerCall, 1), ...decidedOn },
  { resources: [{ name: "change_request", key: "42" }] },
)
export const KillSession = body(
  "KillSession",
  { scope: Schema.Literals(["session", "subtree"]), reason: Text, ...decidedOn },
  { scope: "subtree", reason: "it loops" },
)
export const KillWorkflow = body("KillWorkflow", { reason: Text }, { reason: "no longer wanted" })
export const TakeBack = body("TakeBack", { reason: opt(Text), ...generation }, { generation: 1 })
export const CompleteHandoff = body(
  "CompleteHandoff",
  { result: opt(AnyJson), artifacts: opt(artifacts), ...generation },
  { result: { findings: 3 } },
)
export const EndHandoff = body("EndHandoff", { reason: Text, ...generation }, { reason: "superseded" })
export const Resolve = body(
  "Resolve",
  {
    outcome: Schema.Literals(["committed", "aborted"]),
    actual_cost: opt(Money),
    actual_tokens: opt(Count),
    reason: Text,
  },
  { outcome: "aborted", reason: "checked by hand" },
)
export const Approve = body("Approve", { reason: opt(Text) }, { reason: "change 42 was reviewed" })
export const Reject = body("Reject", { reason: opt(Text) }, { reason: "not before the freeze ends" })
export const RaiseLimits = body(
  "RaiseLimits",
  {
    role: opt(Name),
    max_sessions: opt(Count),
    max_active_sessions: opt(Count),
    max_steps: opt(Count),
    max_cost: opt(Money),
    max_tokens: opt(Count),
    max_open_handoffs: opt(Count),
    max_depth: opt(Count),
    max_duration: opt(Schema.Union([Schema.String, Count])).annotate({
      description: "A duration as in workflow.yaml, such as 24h, or milliseconds.",
    }),
  },
  { max_cost: 50 },
)
