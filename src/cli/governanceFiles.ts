/**
 * The governance folder that `init` writes: small, commented, and sound. It compiles without a warning, and simulating it finds
 * no danger; the tests hold both.
 */

const workflow = `# Who may hand work to whom, what they share, and how much they may spend.
#
#   handrail check        compile this folder and show every mistake
#   handrail simulate     find out what can happen before agents run on it
#
# A running workflow is pinned to the hash of what is here: a change is for workflows that start after it.
schema_version: "1.0"
workflow: first-workflow

roles:
  # The root creates the workflow. When it completes, so does the workflow; it outlives everybody below it.
  - name: lead
    root: true
    session_contract: ./lead/session.yaml
  - name: worker
    session_contract: ./worker/session.yaml
    # For the sum of all sessions of the role. Of these limits and the workflow's, the strictest wins.
    limits: { max_active_sessions: 2, max_cost: 2.00 }

# An edge is a permission: lead may hand work to worker, and nobody else to anybody.
handoffs:
  - from: lead
    to: worker
    # A worker that commits nothing for so long loses its claim, and the next one may try: a lease, renewed by a heartbeat.
    claim_timeout: 2m
    # An offer that nobody claims ends after this.
    offer_timeout: 1h
    # The first worker and two more; then the handoff has failed, and lead decides.
    max_attempts: 3
    # "Done" needs at least one committed call. For work that only reads: any.
    completion: requires_progress
    # JSON Schema of what crosses from lead to worker. Nothing else does.
    summary_schema:
      type: object
      required: [task]
      properties:
        task: { type: string, minLength: 1, maxLength: 2000 }

# What agents share. A tool contract says which of its arguments is the key, so every document is a resource of its own.
resources:
  # One call at a time; a second one is refused. Also: single_writer (one session owns it), serial_only (calls queue).
  # A call whose agent died may or may not have had its effect. This one is given up after five minutes; without that, it
  # holds the document until somebody resolves it (handrail resolve).
  - { name: document, mode: exclusive_pending, unresolved: release, pending_timeout: 5m }

# Of the whole workflow. Whatever would go past one of these is refused, and changes nothing.
limits:
  max_sessions: 10
  max_active_sessions: 4
  max_steps: 100
  max_cost: 5.00
  max_open_handoffs: 4
  # The root is at depth 0, so workers hand nothing on.
  max_depth: 1
  # The end of everything that got stuck.
  max_duration: 4h
`

const leadSession = `# The rules of one session in this role. Beside it lie the contracts of its tools, a file each.
schema_version: "1.0"
agent: lead
session_limits:
  max_tool_calls: 50
`

const leadTool = `# What a tool is, what it costs and what it may be called with.
# A tool without a contract has no price and no resource.
tool: read_document
side_effect: read                 # read | write | destructive | admin | financial
cost: { estimate: 0.01 }          # reserved before it runs, settled to what it really was
timeouts: { total_ms: 30000 }
argument_value_invariants:
  - { path: $.document, exists: true }
`

const workerSession = `schema_version: "1.0"
agent: worker
# What may be called when: exactly one initial phase, at least one terminal one. Tools say where they are valid.
phases:
  - { name: working, initial: true }
  - { name: done, terminal: true }
transitions:
  working: [done]
session_limits:
  max_tool_calls: 20
  # The same call three times within ten is a loop, and is blocked.
  loop_detection: { window: 10, threshold: 3 }
risk_defaults: { admin: block, financial: block }
`

const workerTool = `tool: write_document
side_effect: write
evidence_class: ack_only          # local_transaction | ack_only | unverifiable: how sure a commit can be
resources:
  - { name: document, key: $.document }
cost: { estimate: 0.05 }
timeouts: { total_ms: 60000 }
transitions: { valid_in_phases: [working] }
argument_value_invariants:
  - { path: $.document, regex: "^[a-z0-9-]{1,64}$" }
# checkpoint: { timeout: 8h }     # a person approves before it runs; with true they have a day
`

/** Path within the folder → text. */
export const governanceFiles: Readonly<Record<string, string>> = {
  "workflow.yaml": workflow,
  "lead/session.yaml": leadSession,
  "lead/read_document.yaml": leadTool,
  "worker/session.yaml": workerSession,
  "worker/write_document.yaml": workerTool,
}
