/** `handrail/openai-agents`: the OpenAI Agents SDK's tools, models and handoffs under a session. Needs `@openai/agents`. */

export type {
  ClaimingSession,
  DurableHandoffOptions,
  HandoffAnswer,
  HandoffHere,
  OfferingSession,
} from "./sdk/frameworks/durableHandoff.ts"
export { type Refusal, refusalOf } from "./sdk/frameworks/refusals.ts"
export { stepOf } from "./sdk/frameworks/step.ts"
export { type GovernedModelOptions, governedModel } from "./sdk/openai-agents/governedModel.ts"
export { governedTool } from "./sdk/openai-agents/governedTool.ts"
export { durableHandoff } from "./sdk/openai-agents/handoffTool.ts"
