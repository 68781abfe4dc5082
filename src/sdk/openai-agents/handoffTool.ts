/** A durable handoff as the `execute` of a tool of the OpenAI Agents SDK. */
import {
  type ClaimingSession,
  type DurableHandoffOptions,
  type HandoffAnswer,
  durableHandoff as handedOver,
  type OfferingSession,
} from "../frameworks/durableHandoff.ts"

/**
 * The `execute` of a governed tool that hands work over to another role of the workflow, and answers with what came of it:
 * `tool(governedTool(session, { name, description, parameters, execute: durableHandoff(session, { toRole }) }))`.
 *
 * In place of the SDK's own handoffs, which pass a conversation on in one process and are gone with it.
 */
export const durableHandoff = <S extends ClaimingSession>(
  session: OfferingSession,
  options: DurableHandoffOptions<S>,
): ((input: unknown, context?: unknown, details?: object) => Promise<HandoffAnswer>) => {
  const handOver = handedOver(session, options)
  return (input, _context, details) => handOver(input, details)
}
