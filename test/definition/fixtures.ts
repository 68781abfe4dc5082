/** Sources that compile without a word, and how to break them one line at a time. */
import { compile, type Diagnostic, type Files } from "../../src/definition/index.ts"

export const workflowYaml = `schema_version: "1.0"
workflow: pr-review
roles:
  - name: orchestrator
    root: true
    session_contract: ./orchestrator/session.yaml
  - name: scanner
    session_contract: ./scanner/session.yaml
    limits: { max_active_sessions: 2, max_cost: 3.00 }
    default_cost: 0.01
handoffs:
  - from: orchestrator
    to: scanner
    claim_timeout: 2m
    offer_timeout: 1h30m
    max_attempts: 3
    completion: requires_progress
    summary_schema: { type: object, required: [task], properties: { task: { type: string } } }
resources:
  - { name: environment, mode: exclusive_pending, unresolved: hold }
  - { name: migration, mode: serial_only, unresolved: release, pending_timeout: 15m }
limits:
  max_sessions: 10
  max_active_sessions: 4
  max_steps: 500
  max_cost: 25.00
  max_tokens: 1000000
  max_open_handoffs: 8
  max_depth: 3
  max_duration: 24h
preflight_timeout: 30s
`

export const sessionYaml = `schema_version: "1.0"
agent: scanner
phases:
  - { name: plan, initial: true }
  - { name: act }
  - { name: done, terminal: true }
transitions:
  plan: [act]
  act: [act, done]
session_limits:
  max_steps: 50
  max_tool_calls: 60
  max_cost_per_session: 1.5
  max_calls_per_tool: { deploy: 2 }
  loop_detection: { window: 10, threshold: 3 }
  circuit_breaker: { consecutive_blocks: 3, consecutive_errors: 5 }
risk_defaults: { read: allow, financial: block }
`

export const deployYaml = `tool: deploy
side_effect: destructive
evidence_class: local_transaction
commit_requirement: acknowledged
resources:
  - { name: environment, key: $.target.environment }
  - { name: migration, key: main }
cost: { estimate: 0.5 }
transitions: { valid_in_phases: [act], advances_to: done }
preconditions:
  - requires_prior_tool: test
    with_output: [{ path: $.passed, equals: true }, { path: "$.runs[0].score", gte: 0.5, lte: 1 }]
forbids_after: [test]
argument_value_invariants:
  - { path: $.target.environment, one_of: [staging, prod] }
  - { path: $.version, regex: '^v\\d+$', length_gte: 2, length_lte: 10 }
  - { path: $.notes, exists: true, type: string, contains: x }
timeouts: { total_ms: 60000 }
gate: allow
checkpoint: true
`

export const testYaml = `tool: test
side_effect: read
`

export const files: Readonly<Record<string, string>> = {
  "orchestrator/session.yaml": 'schema_version: "1.0"\nagent: orchestrator\n',
  "scanner/session.yaml": sessionYaml,
  "scanner/deploy.yaml": deployYaml,
  "scanner/test.yml": testYaml,
}

export const diagnosticsOf = (
  text: string,
  given: Files = files,
  file = "workflow.yaml",
): ReadonlyArray<Diagnostic> => {
  const result = compile({ file, text, files: given })
  return result.ok ? result.warnings : result.diagnostics
}

/** `text` with one piece replaced; a piece that is not there is a broken test. */
export const replaced = (text: string, piece: string, by: string): string => {
  if (!text.includes(piece)) throw new Error(`not in the text: ${piece}`)
  return text.replace(piece, () => by)
}

export const codes = (diagnostics: ReadonlyArray<Diagnostic>): ReadonlyArray<string> =>
  diagnostics.map((each) => each.code)
export const placed = (diagnostics: ReadonlyArray<Diagnostic>): ReadonlyArray<string> =>
  diagnostics.map((each) => `${each.line}:${each.column} ${each.code}`)
