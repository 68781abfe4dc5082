/** The parts of a session's governance, put together: who admits, what is allowed, what was decided, and what runs. */
import type { Contracts } from "../files/contracts.ts"
import type { Settings } from "../options.ts"
import { ToolRunner } from "../tools/ToolRunner.ts"
import type { Tools } from "../tools/Tools.ts"
import { ToolSchemas } from "../tools/tool.ts"
import { Admissions } from "./Admission.ts"
import type { Authority } from "./Authority.ts"
import { DecisionLog } from "./DecisionLog.ts"
import { Guard } from "./Guard.ts"
import { ModelGovernor } from "./ModelGovernor.ts"
import { PriceList } from "./prices.ts"
import { Rulebook } from "./Rulebook.ts"
import type { Governor } from "./Turn.ts"

export const makeRulebook = (settings: Settings, { rules }: Contracts): Rulebook => {
  const { agent, inWorkflow, policy, unmatchedPolicy } = settings
  return new Rulebook(rules, {
    policy,
    // Only a control plane can ask a person.
    judging: { unmatched: unmatchedPolicy, checkpoints: inWorkflow === undefined ? "unavailable" : "hold" },
    context: {
      agent,
      role: inWorkflow?.workflow.role ?? null,
      workflowId: inWorkflow?.workflow.workflowId ?? null,
      principal: settings.principal ?? null,
      environment: settings.environment ?? null,
    },
  })
}

export class Pipeline {
  readonly authority: Authority
  readonly rulebook: Rulebook
  readonly log: DecisionLog
  readonly schemas: ToolSchemas
  readonly runner: ToolRunner
  readonly governor: Governor
  readonly #models: ModelGovernor

  constructor(settings: Settings, tools: Tools, contracts: Contracts, rulebook: Rulebook, authority: Authority) {
    const { mode, agent, principal = null, environment = null } = settings
    const contractOf = (tool: string) => contracts.tools.get(tool)
    const guard = new Guard(settings.inWorkflow?.unguardedCalls ?? 0)
    const log = new DecisionLog(settings.onDecision)
    const schemas = new ToolSchemas(tools)
    const problemOf = (tool: string, input: unknown) => schemas.problemOf(tool, input)
    const settingsOfAdmission = { mode, agent, principal, environment, contractOf, problemOf }
    const admissions = new Admissions(authority, rulebook, guard, log, settingsOfAdmission)
    const runner = new ToolRunner({ authority, admissions, rulebook, guard, contractOf, tools })
    const prices = new PriceList(settings.prices)
    this.authority = authority
    this.rulebook = rulebook
    this.schemas = schemas
    this.log = log
    this.runner = runner
    this.#models = new ModelGovernor({ settings, authority, rulebook, admissions, guard, prices, tools: runner })
    this.governor = this.#models
  }

  /** Waits until nothing of the session runs here any more and all is told that can be. */
  async drained(): Promise<void> {
    await this.#models.drained()
    await this.runner.drained()
    await this.authority.payUp()
  }
}
