/**
 * Who may call an operation: said once, beside its route, and read by the server, the document and the tests.
 *
 * Beyond `open`, every operation needs a key of the tenant (wire.md, "Authentication").
 */
import { Context } from "effect"

export type Rule =
  /** Anybody on loopback; elsewhere any valid key. */
  | "open"
  /** Scope `agent`. */
  | "enter"
  /** Scope `agent` with the session's token, or `operator`. */
  | "act"
  /** As `act`, or scope `read`. */
  | "look"
  /** Scope `read` or `operator`. */
  | "list"
  /** Scope `read` or `operator`, or `agent` with the token of a session of the workflow. */
  | "watch"
  /** Scope `agent` with the token of a session of the workflow, or `operator`. */
  | "settle"
  /** Scope `operator`. */
  | "operate"

export class Access extends Context.Service<Access, Rule>()("handrail/http/Access") {}

export const explanations: Readonly<Record<Rule, string>> = {
  open: "Without a key on loopback; elsewhere with any valid key.",
  enter: "Scope `agent`.",
  act: "Scope `agent` with the session's token in `Handrail-Session`, or scope `operator`.",
  look: "Scope `read` or `operator`, or `agent` with the session's token in `Handrail-Session`.",
  list: "Scope `read` or `operator`.",
  watch: "Scope `read` or `operator`, or `agent` with the token of one of the workflow's sessions.",
  settle: "Scope `operator`, or `agent` with the token of the session that may do so.",
  operate: "Scope `operator`.",
}
