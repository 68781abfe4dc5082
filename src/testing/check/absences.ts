/** What never happened in any run: roles that never act, edges that nobody uses, workflows that never complete. */
import type { Definition } from "../../machines/definition.ts"
import type { Exploration } from "./explore.ts"
import type { FindingKind } from "./report.ts"

export interface Absence {
  readonly kind: Extract<FindingKind, "never" | "unused" | "incomplete">
  readonly subject: string
  readonly text: string
  readonly fix: string | null
}

/** Fewer runs say nothing about what never happens. */
const enoughRuns = 20

export const absencesOf = (definition: Definition, exploration: Exploration): ReadonlyArray<Absence> =>
  exploration.runs < enoughRuns
    ? []
    : [...idleRoles(definition, exploration), ...unusedEdges(definition, exploration), ...incomplete(exploration)]

const acts = ({ totals }: Exploration, role: string): boolean => {
  const { steps, completed } = totals.role(role)
  return steps + completed > 0
}

const idleRoles = (definition: Definition, exploration: Exploration): ReadonlyArray<Absence> =>
  definition.roles
    .filter(({ name }) => !acts(exploration, name))
    .map(({ name }) => {
      const { sessions } = exploration.totals.role(name)
      const what = sessions === 0 ? "never gets a session" : "never commits a call and never completes"
      return {
        kind: "never",
        subject: name,
        text: `${name} ${what}, in ${exploration.runs} runs.${because(definition, exploration, name)}`,
        fix: null,
      }
    })

/** The commonest refusal that its role met. */
const because = (definition: Definition, { totals }: Exploration, role: string): string => {
  const reasons = [...totals.role(role).refusals].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
  const [first] = reasons
  if (first !== undefined) return ` What stops it most is ${first[0]} (${first[1]} refusals).`
  const givers = definition.handoffs.filter(({ to }) => to === role).map(({ from }) => from)
  if (givers.length === 0) return " No handoff leads to it, and it is no root role."
  const idle = givers.filter((from) => totals.role(from).sessions === 0)
  return idle.length === givers.length
    ? ` Nobody who may hand off to it (${givers.join(", ")}) ever gets a session.`
    : ""
}

/** Only where both ends act: else the role says it all. */
const unusedEdges = (definition: Definition, exploration: Exploration): ReadonlyArray<Absence> =>
  definition.handoffs
    .filter(({ from, to }) => acts(exploration, from) && acts(exploration, to))
    .filter(({ from, to }) => !exploration.totals.claims.has(`${from}>${to}`))
    .map(({ from, to }) => ({
      kind: "unused",
      subject: `${from}>${to}`,
      text: `No handoff from ${from} to ${to} was ever claimed, in ${exploration.runs} runs.`,
      fix: null,
    }))

const incomplete = ({ goodRuns, goodRunsCompleted }: Exploration): ReadonlyArray<Absence> =>
  goodRuns < enoughRuns || goodRunsCompleted > 0
    ? []
    : [
        {
          kind: "incomplete",
          subject: "workflow",
          text: `The workflow never completes, not even when all agents behave well: in none of ${goodRuns} such runs.`,
          fix: null,
        },
      ]
