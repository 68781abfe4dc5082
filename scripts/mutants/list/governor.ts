/** Guards of the pipeline around a model's call (docs/agents.md): what is offered, judged, admitted, settled and given back. */
import { inFile, type Mutant } from "../Mutant.ts"

const admission = inFile("src/sdk/governor/Admission.ts")
const authority = inFile("src/sdk/governor/WorkflowAuthority.ts")
const guard = inFile("src/sdk/governor/Guard.ts")
const model = inFile("src/sdk/governor/ModelGovernor.ts")
const prices = inFile("src/sdk/governor/prices.ts")
const rulebook = inFile("src/sdk/governor/Rulebook.ts")
const runner = inFile("src/sdk/tools/ToolRunner.ts")
const recovery = inFile("src/sdk/link/recover.ts")

const turns = { file: "test/sdk/governor/turns.test.ts" }
const budget = { file: "test/sdk/governor/budget.test.ts" }
const accounts = { file: "test/sdk/governor/accounts.test.ts" }
const contracts = { file: "test/sdk/governor/contracts.test.ts" }

export const governorMutants: ReadonlyArray<Mutant> = [
  admission({
    name: "gate-rejects-all",
    breaks: "Of an answer with a blocked call the others are admitted.",
    rule: "docs/agents.md, gate",
    find: `(gate === "reject_all" || (gate === "strip_partial" && allowed.length === 0))`,
    replace: `gate === "strip_partial" && allowed.length === 0`,
    checks: [turns, contracts],
  }),
  admission({
    name: "gate-strip-partial-left-empty",
    breaks: "An answer of which no call is left goes on as if nothing had been blocked.",
    rule: "docs/agents.md, gate",
    find: `(gate === "strip_partial" && allowed.length === 0)`,
    replace: `(gate === "strip_partial" && allowed.length < 0)`,
    checks: [turns, contracts],
  }),
  admission({
    name: "shadow-blocks-nothing",
    breaks: "Shadow mode blocks.",
    rule: "docs/agents.md, mode",
    find: `if (mode === "shadow") return { failures, kept: all, rejection: undefined }`,
    replace: `if (mode === "shadow" && gate !== "reject_all") return { failures, kept: all, rejection: undefined }`,
    checks: [turns],
  }),
  authority({
    name: "usage-of-the-unreachable",
    breaks: "What was spent while the control plane was away is forgotten.",
    rule: "docs/agents.md, onError",
    find: `if (!isSettled) this.owe(owed)`,
    replace: `if (isSettled) this.owe(owed)`,
    checks: [turns, accounts],
  }),
  admission({
    name: "breaker-kills",
    breaks: "A tripped breaker kills nobody.",
    rule: "docs/definitions.md, circuit_breaker",
    find: `this.#rulebook.trip !== undefined && this.#settings.mode === "enforce"`,
    replace: `this.#rulebook.trip !== undefined && this.#settings.mode !== "enforce"`,
    checks: [turns, contracts],
  }),
  authority({
    name: "reservation-of-the-refused",
    breaks: "A refused answer keeps its model call's reservation.",
    rule: "I3",
    find: `await this.#settle({ preparedId })`,
    replace: `await Promise.resolve()`,
    checks: [budget],
  }),
  authority({
    name: "parallel-model-calls",
    breaks: "Of two model calls at once the second is refused, because the first moved the session on.",
    rule: "docs/agents.md",
    find: `new Set(["version_mismatch", "prepared_request_invalid"])`,
    replace: `new Set(["prepared_request_invalid"])`,
    checks: [budget],
  }),
  authority({
    name: "approval-refused-is-told",
    breaks: "A call whose approval was refused fails without saying so.",
    rule: "§5",
    find: `if (rejected !== undefined) throw notApproved(tool, rejected)`,
    replace: `if (rejected === "") throw notApproved(tool, rejected)`,
    checks: [turns],
  }),
  guard({
    name: "unguarded-calls-are-counted",
    breaks: "An outage lets any number of calls through.",
    rule: "docs/agents.md, onError",
    find: `this.#used += 1`,
    replace: `this.#used += 0`,
    checks: [turns],
  }),
  guard({
    name: "unguarded-only-in-an-outage",
    breaks: "A refusal by the rules is taken for an outage.",
    rule: "docs/agents.md, onError",
    find: `return isInfrastructure(error) && this.#used < this.#most`,
    replace: `return this.#used < this.#most || isInfrastructure(error)`,
    checks: [turns],
  }),
  model({
    name: "narrowed-tools-are-removed",
    breaks: "Tools that may not be called are offered to the model.",
    rule: "docs/agents.md, narrow",
    find: `isEnforced ? new Set(begun.narrowed.keys()) : noneRemoved`,
    replace: `isEnforced ? noneRemoved : new Set(begun.narrowed.keys())`,
    checks: [turns, contracts],
  }),
  model({
    name: "session-cost-before-the-call",
    breaks: "A session beyond its own limit of cost goes on asking its model.",
    rule: "docs/definitions.md, max_cost_per_session",
    find: `if (toMicros(cost) > left)`,
    replace: `if (toMicros(cost) > left && left < 0)`,
    checks: [budget],
  }),
  model({
    name: "unknown-price-is-refused",
    breaks: "A model without a price is asked although a cost is limited.",
    rule: "docs/agents.md, prices",
    find: `if (cost !== undefined || remaining.cost === null) return { preparedId, refused: null }`,
    replace: `if (cost !== undefined || remaining.cost !== undefined) return { preparedId, refused: null }`,
    checks: [budget],
  }),
  model({
    name: "usage-that-nobody-told",
    breaks: "A provider that tells no usage is free.",
    rule: "docs/agents.md",
    find: `const usage = answer.usage ?? estimate`,
    replace: `const usage = answer.usage ?? { ...estimate, inputTokens: 0, outputTokens: 0 }`,
    checks: [budget],
  }),
  model({
    name: "feedback-is-bounded",
    breaks: "A model that does not learn is asked for ever.",
    rule: "docs/agents.md, maxRetries",
    find: `attempt < settings.maxRetries`,
    replace: `settings.maxRetries > 0`,
    checks: [turns],
  }),
  model({
    name: "arguments-that-are-no-json",
    breaks: "Arguments that nobody can read are let through.",
    rule: "docs/agents.md",
    find: `return { callId, tool, input: text, flaw:`,
    replace: `return { callId, tool, input: text }\n    void {\n      flaw:`,
    checks: [contracts],
  }),
  prices({
    name: "cached-tokens-have-their-price",
    breaks: "Tokens from a cache cost as much as any.",
    rule: "docs/agents.md, prices",
    find: `cached * cachedInput`,
    replace: `cached * input`,
    checks: [budget],
  }),
  rulebook({
    name: "narrow-by-hand",
    breaks: "Tools that the agent has put away by hand may be called.",
    rule: "docs/agents.md, narrow",
    find: `if (this.#only !== undefined && !this.#only.has(tool))`,
    replace: `if (this.#only !== undefined && this.#only.has(tool))`,
    checks: [turns],
  }),
  rulebook({
    name: "policy-blocks",
    breaks: "A policy that gives a reason allows.",
    rule: "docs/agents.md, policy",
    find: `if (answer === true) return undefined`,
    replace: `if (answer !== false) return undefined`,
    checks: [turns],
  }),
  rulebook({
    name: "past-is-remembered",
    breaks: "A process that comes back begins in the first phase, with all its calls left.",
    rule: "docs/agents.md, resume",
    find: `if (body._tag === "steps.proposed" && body.sessionId === sessionId) {`,
    replace: `if (body._tag === "steps.proposed" && body.sessionId === "") {`,
    checks: [turns],
  }),
  runner({
    name: "wait-before-foreign-code-runs",
    breaks: "The agent's own code sees a call before its turn has come.",
    rule: "§5",
    find: `if (step.status === "admitted" || this.owns(step.tool)) continue`,
    replace: `if (step.status !== "admitted" || this.owns(step.tool)) continue`,
    checks: [turns],
  }),
  runner({
    name: "never-begun-is-given-back",
    breaks: "What was admitted and never begun keeps its session from completing.",
    rule: "docs/agents.md",
    find: `await this.#giveBack([...this.#waiting.takeAll(isGivenBack), ...this.#resumed.takeAll(isGivenBack)])`,
    replace: `await this.#giveBack(this.#resumed.takeAll(isGivenBack))`,
    checks: [turns],
  }),
  runner({
    name: "failed-write-stays-unresolved",
    breaks: "A write that failed in the agent's own code counts as done.",
    rule: "§5",
    find: `isError ? { _tag: "threw", error: output } : { _tag: "returned", value: output }`,
    replace: `{ _tag: "returned", value: output }`,
    checks: [turns],
  }),
  recovery({
    name: "recovery-is-asked",
    breaks: "What became of a step is guessed.",
    rule: "docs/agents.md, recover",
    find: `return recover === undefined ? "unknown" : recover(step)`,
    replace: `return recover === undefined ? "unknown" : "committed"`,
    checks: [turns],
  }),
]
