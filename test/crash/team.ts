/** The definition under which the processes of these tests work: all modes, short leases, a few limits that bite. */
export const teamYaml = `
schema_version: "1.0"
workflow: crash
roles:
  - { name: lead, root: true }
  - { name: dev, limits: { max_active_sessions: 12 } }
  - { name: ops }
handoffs:
  - { from: lead, to: dev, claim_timeout: 3s, offer_timeout: 20s, max_attempts: 4 }
  - { from: lead, to: ops, completion: any }
  - { from: dev, to: dev, claim_timeout: 5s }
  - { from: dev, to: ops, offer_timeout: 4s, completion: any }
resources:
  - { name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 2s }
  - { name: doc, mode: single_writer, unresolved: release, pending_timeout: 3s }
  - { name: line, mode: serial_only, unresolved: hold }
limits: { max_open_handoffs: 30, max_cost: 2000, max_steps: 100000, max_depth: 4 }
preflight_timeout: 2s
`
export const resourceNames = ["env", "doc", "line"] as const
/** Roles that a role may hand off to. */
export const edges: Readonly<Record<string, ReadonlyArray<string>>> = {
  lead: ["dev", "ops"],
  dev: ["dev", "ops"],
  ops: [],
}
