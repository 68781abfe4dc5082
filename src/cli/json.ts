/** What `--json` prints: the very names of the HTTP API (`/openapi.json`), so that one filter serves both. */
import {
  HandoffChanged,
  KillReceipt,
  LimitsRaised,
  PendingApproval,
  StepDecided,
  StepResolved,
  Workflows,
  WorkflowView,
} from "../adapters/http/api/answers.ts"
import { toWire } from "../adapters/http/wire/cases.ts"
import type { WorkflowView as View } from "../runtime/Client.ts"

const workflow = toWire(WorkflowView)

export const killJson = toWire(KillReceipt)
export const handoffJson = toWire(HandoffChanged)
export const stepJson = toWire(StepResolved)
export const decisionJson = toWire(StepDecided)
export const approvalJson = toWire(PendingApproval)
export const limitsJson = toWire(LimitsRaised)
export const workflowsJson = toWire(Workflows)
export const workflowJson = ({ fencedKills: kills, ...view }: View) => workflow({ ...view, kills })
