/** `handrail/ai-sdk`: the Vercel AI SDK's models and tools under a session. Needs `ai`, an optional peer. */

export { governedModel, handrailMiddleware } from "./sdk/ai-sdk/governedModel.ts"
export { governedTools, type ToolTable } from "./sdk/ai-sdk/governedTools.ts"
export {
  type ClaimingSession,
  type DurableHandoffOptions,
  durableHandoff,
  type HandoffAnswer,
  type HandoffHere,
  type OfferingSession,
} from "./sdk/frameworks/durableHandoff.ts"
export { type Refusal, refusalOf } from "./sdk/frameworks/refusals.ts"
export { stepOf } from "./sdk/frameworks/step.ts"
