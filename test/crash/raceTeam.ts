/** The definition under which processes race: one root that everybody acts for, and children with and without leases. */
import type { HistoryRules } from "../../src/testing/checkers/checkHistory.ts"

const workflowYaml = `
schema_version: "1.0"
workflow: race
roles:
  - { name: lead, root: true, session_contract: lead/session.yaml }
  - { name: dev }
  - { name: ops }
handoffs:
  - { from: lead, to: dev, claim_timeout: 600ms, offer_timeout: 2s, max_attempts: 3 }
  - { from: lead, to: ops, completion: any }
resources:
  - { name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 800ms }
  - { name: doc, mode: single_writer, unresolved: release, pending_timeout: 800ms }
  - { name: line, mode: serial_only, unresolved: hold }
limits: { max_open_handoffs: 10, max_cost: 3, max_steps: 100000 }
preflight_timeout: 1s
`
/** A person has to approve what the lead deploys, and has little time for it. */
export const raceTeam = {
  workflowYaml,
  files: {
    "lead/session.yaml": 'schema_version: "1.0"\nagent: lead\n',
    "lead/deploy.yaml": "tool: deploy\nside_effect: write\ncheckpoint: { timeout: 900ms }\n",
  },
}
export const raceRules: HistoryRules = {
  resources: { env: "exclusive_pending", doc: "single_writer", line: "serial_only" },
  maxCost: 3,
  maxSteps: 100_000,
}
