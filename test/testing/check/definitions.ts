/** A definition in which nothing is dangerous, and changes to it that plant one problem each. */
import type { DefinitionInput } from "../../../src/runtime/Client.ts"

export interface Changes {
  readonly roles?: string
  readonly handoffs?: string
  readonly resources?: string
  readonly limits?: string
  readonly files?: Readonly<Record<string, string>>
}

const sane = {
  roles: `
  - { name: lead, root: true, default_cost: 0.01 }
  - { name: dev, default_cost: 0.02 }`,
  handoffs: `
  - { from: lead, to: dev, claim_timeout: 1m, offer_timeout: 5m, max_attempts: 3 }`,
  resources: `
  - { name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 30s }`,
  limits: `
  max_sessions: 20
  max_steps: 60
  max_cost: 10.00
  max_depth: 2
  max_duration: 2h`,
}

export const definition = (changes: Changes = {}): DefinitionInput => {
  const { roles, handoffs, resources, limits } = { ...sane, ...changes }
  const workflowYaml = `schema_version: "1.0"
workflow: team
roles:${roles}
handoffs:${handoffs}
resources:${resources}
${limits === "" ? "" : `limits:${limits}`}
`
  return { workflowYaml, files: changes.files ?? {} }
}
