/** `handrail simulate FILE`: runs good and bad agents on a definition, and tells what can happen. */
import { behaviours } from "../../testing/check/report.ts"
import type { AgentOptions, CheckOptions } from "../../testing/check/settings.ts"
import { type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Input } from "../Input.ts"
import { printable, type Terminal } from "../Terminal.ts"

const defaultRuns = 10_000

export const simulate: CommandSpec = {
  name: "simulate",
  summary: "run good and bad agents on a definition and tell what can happen",
  about: [
    "Agents that behave well, slowly, greedily, crash and lie run on your workflow.yaml and its contracts, by the real " +
      "rules, in virtual time. What can happen is told in plain words, each with the shortest history that leads to it. " +
      "The same seed tells the same.",
  ],
  arguments: [
    { name: "FILE", describe: "a workflow.yaml, or a directory that holds one (default: .)", required: false },
  ],
  options: {
    runs: { kind: "count", value: "N", describe: `how many workflows to run (default ${defaultRuns})` },
    seed: { kind: "count", value: "N", describe: "what all chance follows from (default 1)" },
    commands: {
      kind: "count",
      value: "N",
      describe: "the most moves of one run before its agents finish (default 100)",
    },
    agents: {
      kind: "list",
      value: "NAMES",
      describe: `how agents behave: ${behaviours.join(",")} (default all); lie=3 makes one more frequent`,
      choices: behaviours,
    },
    cost: {
      kind: "text",
      value: "MIN..MAX",
      describe: "what calls cost whose price the definition does not say (default: a small part of max_cost)",
    },
    overrun: {
      kind: "count",
      value: "N",
      describe: "how many times its estimate a lying agent's call may cost (default 10)",
    },
    "no-operator": { kind: "flag", describe: "let no operator interfere" },
    allow: {
      kind: "list",
      value: "IDS",
      describe: "dangers that are known and accepted: they are listed and do not fail",
    },
    history: { kind: "list", value: "IDS", describe: "print only these findings, each with its history" },
    json: { kind: "flag", describe: "print the whole report as JSON" },
  },
  examples: [
    { command: "handrail simulate governance/workflow.yaml", what: "what can happen?" },
    { command: "handrail simulate governance --history limit:max_cost", what: "how can a limit be reached?" },
    { command: "handrail simulate . --agents good,slow --no-operator", what: "even without bad will?" },
    {
      command: "handrail simulate . --allow held:environment --runs 50000",
      what: "in CI, with a danger that is accepted",
    },
    { command: "handrail simulate . --json | jq '.dangers[].id'", what: "for another program" },
  ],
  exits: [
    [exitCodes.ok, "no danger, or none that is not allowed"],
    [exitCodes.found, "a danger: something can wait for ever, overspend without bound, or never happens"],
    [exitCodes.usage, "wrong usage, or a definition that can't be read or does not compile"],
    [exitCodes.violation, "an invariant of Handrail itself was broken: please report it"],
  ],
  run: async (input, terminal) => {
    const options = optionsOf(input)
    const { loadFile } = await import("../definitionFile.ts")
    const loaded = loadFile(input.args[0] ?? ".")
    if (!loaded.ok) {
      const { formatDiagnostics } = await import("../../definition/formatDiagnostics.ts")
      terminal.tell(formatDiagnostics(loaded.diagnostics).trimEnd())
      return exitCodes.usage
    }
    const warnings = loaded.warnings.length
    if (warnings > 0)
      terminal.tell(
        `${warnings} compiler warning${warnings === 1 ? "" : "s"}: see handrail check ${printable(loaded.file)}.`,
      )
    const { checkWorkflow } = await import("../../testing/check/checkWorkflow.ts")
    const { CheckOptionError } = await import("../../testing/check/settings.ts")
    const { Progress } = await import("../Progress.ts")
    const { showReport, showHistories } = await import("../simulationText.ts")
    const progress = new Progress(terminal)
    try {
      const report = checkWorkflow(loaded.artifact, { ...options, onProgress: (done, all) => progress.show(done, all) })
      progress.done()
      tellUnused(
        options.allow ?? [],
        report.findings.filter(({ allowed }) => allowed).map(({ id }) => id),
        terminal,
      )
      const wanted = input.list("history")
      if (input.flag("json")) terminal.print(JSON.stringify(report, null, 2))
      else if (wanted.length > 0) showHistories(report, wanted, terminal)
      else showReport(report, terminal)
      if (report.violations.length > 0) return exitCodes.violation
      return report.dangers.length > 0 ? exitCodes.found : exitCodes.ok
    } catch (error) {
      progress.done()
      if (error instanceof CheckOptionError)
        throw new UsageError(`--${error.option.replace("agents.", "")}: ${error.message}`)
      throw error
    }
  },
}

const optionsOf = (input: Input): CheckOptions => {
  const numbers = { seed: input.count("seed"), commands: input.count("commands") }
  return {
    runs: input.count("runs") ?? defaultRuns,
    ...(numbers.seed === undefined ? {} : { seed: numbers.seed }),
    ...(numbers.commands === undefined ? {} : { commands: numbers.commands }),
    agents: agentsOf(input),
    allow: input.list("allow"),
  }
}

const agentsOf = (input: Input): AgentOptions => {
  const cost = input.text("cost")
  const overrun = input.count("overrun")
  const mix = input.list("agents")
  return {
    operator: !input.flag("no-operator"),
    ...(overrun === undefined ? {} : { overrun }),
    ...(cost === undefined ? {} : { cost: rangeOf(cost) }),
    ...(mix.length === 0 ? {} : { mix: Object.fromEntries(mix.map(weightOf)) }),
  }
}

const weightOf = (text: string): readonly [string, number] => {
  const [name = "", weight = "1"] = text.split("=")
  return [name, weight.trim() === "" ? Number.NaN : Number(weight)]
}

const rangeOf = (text: string): readonly [number, number] => {
  const [min, max] = text.split("..").map((part) => (part.trim() === "" ? Number.NaN : Number(part)))
  if (min === undefined || max === undefined || Number.isNaN(min + max))
    throw new UsageError(`--cost takes two amounts, like 0.01..0.50, not ${JSON.stringify(text)}`)
  return [min, max]
}

/** An id that allows nothing is a slip, or a danger that is gone. */
const tellUnused = (allow: ReadonlyArray<string>, used: ReadonlyArray<string>, terminal: Terminal): void => {
  for (const id of allow) if (!used.includes(id)) terminal.tell(`--allow ${id}: there is nothing of this id to allow.`)
}
