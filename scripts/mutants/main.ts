/**
 * Breaks each guard of the rules, one at a time, and shows that a test catches it: `npm run mutants`.
 *
 * `-- --list` names the mutants, `--only NAME` runs those whose name holds it (may be repeated), `--json` prints the outcome
 * as JSON, `--committed` takes the last commit instead of the files as they stand. Exits with 1 where a mutant survives that is not explained, or could not be judged. docs/mutants.md says more.
 */
import { setPriority } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { Copy } from "./Copy.ts"
import { mutants } from "./list/index.ts"
import { type Check, contract, type Mutant } from "./Mutant.ts"

type Status =
  | "killed"
  | "survived"
  /** It survives, and the list says why nothing can be observed of it. */
  | "equivalent"
  /** A test kills what the list calls equivalent. */
  | "not equivalent"
  | "timed out"
  | "does not apply"
  | "broken build"
  /** Its tests fail without it, or fail for another reason than a test. */
  | "not judged"

interface Outcome {
  readonly name: string
  readonly status: Status
  readonly seconds: number
  /** The test that noticed, or why there is none. */
  readonly detail: string
}

const good: ReadonlySet<Status> = new Set(["killed", "equivalent"])

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    committed: { type: "boolean", default: false },
  },
})
const { only } = values
const isAsked = ({ name }: Mutant, part: string): boolean =>
  mutants.some((mutant) => mutant.name === part) ? name === part : name.includes(part)
const chosen = mutants.filter((mutant) => only === undefined || only.some((part) => isAsked(mutant, part)))

const keyOf = (check: Check): string => `${check.file} ${check.name ?? ""}`

/** The checks that are red, or find no test, in the source as it is: they can't judge anything. */
const redBefore = async (copy: Copy): Promise<ReadonlyMap<string, string>> => {
  const checks = [...new Map(chosen.flatMap(({ checks }) => checks).map((check) => [keyOf(check), check])).values()]
  const whole = checks.filter((check) => check.name === undefined)
  const red = new Map<string, string>()
  const judgeAlone = async (check: Check): Promise<void> => {
    const judgement = await copy.check(check)
    if (judgement._tag !== "green") red.set(keyOf(check), judgement.why)
  }
  if (whole.length > 0 && (await copy.run(whole, false))._tag !== "green")
    for (const check of whole) await judgeAlone(check)
  for (const check of checks) if (check.name !== undefined) await judgeAlone(check)
  return red
}

/** Where and what, without line and words: edits move lines, and the compiler does not always choose the same words. */
const kindOf = (complaint: string): string => complaint.replace(/\(\d+,\d+\)/, "").replace(/(error TS\d+).*/, "$1")

/** They run from the source; the others may start a worker or a process, which runs what was compiled. */
const runsFromSource = (check: Check): boolean => check === contract || check.file.startsWith("test/machines/")

/**
 * What does not compile of the mutants, by name. They are compiled many at once, each where its edits leave those of the others
 * alone; a batch that does not compile is halved until it is known whose fault it is.
 */
const complaintsOf = async (copy: Copy, known: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> => {
  const found = new Map<string, string>()
  const search = async (batch: ReadonlyArray<Mutant>): Promise<void> => {
    for (const mutant of batch) copy.apply(mutant)
    const complaint = (await copy.complaints()).find((line) => !known.has(kindOf(line)))
    copy.restore()
    if (complaint === undefined) return
    const [first, ...rest] = batch
    if (first !== undefined && rest.length === 0) {
      found.set(first.name, complaint)
      return
    }
    await search(batch.slice(0, batch.length >> 1))
    await search(batch.slice(batch.length >> 1))
  }
  let left = chosen
  while (left.length > 0) {
    const batch = left.filter((mutant) => copy.apply(mutant) === undefined)
    copy.restore()
    // What can't be applied even alone is said when it is its turn.
    if (batch.length === 0) break
    await search(batch)
    left = left.filter((mutant) => !batch.includes(mutant))
  }
  return found
}

const judgeMutant = async (
  copy: Copy,
  mutant: Mutant,
  red: ReadonlyMap<string, string>,
  complaints: ReadonlyMap<string, string>,
): Promise<Pick<Outcome, "status" | "detail">> => {
  const problem = copy.apply(mutant)
  if (problem !== undefined) return { status: "does not apply", detail: problem }
  const complaint = complaints.get(mutant.name)
  if (complaint !== undefined) return { status: "broken build", detail: complaint }
  let isBuilt = false
  let unclear: Pick<Outcome, "status" | "detail"> | undefined
  for (const check of mutant.checks) {
    const before = red.get(keyOf(check))
    if (before !== undefined) {
      unclear = { status: "not judged", detail: `${check.file} is red without it: ${before}` }
      continue
    }
    if (!runsFromSource(check) && !isBuilt) {
      await copy.build()
      isBuilt = true
    }
    const judgement = await copy.check(check)
    if (judgement._tag === "red")
      return {
        status: mutant.equivalent === undefined ? "killed" : "not equivalent",
        detail: `${check.file}: ${judgement.by}: ${judgement.why}`,
      }
    if (judgement._tag === "timed out") unclear = { status: "timed out", detail: judgement.by }
    if (judgement._tag === "broken") unclear = { status: "not judged", detail: judgement.why }
  }
  if (unclear !== undefined) return unclear
  return mutant.equivalent === undefined
    ? { status: "survived", detail: mutant.breaks }
    : { status: "equivalent", detail: mutant.equivalent }
}

const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)
const say = (line: string): void => (values.json ? console.error(line) : console.log(line))

const run = async (copy: Copy): Promise<ReadonlyArray<Outcome>> => {
  await copy.build()
  const before = await copy.complaints()
  for (const complaint of before) say(`does not compile, as it is: ${complaint}`)
  const known = new Set(before.map(kindOf))
  const red = await redBefore(copy)
  for (const [check, why] of red) say(`red as it is: ${check}: ${why}`)
  const complaints = await complaintsOf(copy, known)
  const outcomes: Array<Outcome> = []
  for (const [index, mutant] of chosen.entries()) {
    const started = performance.now()
    const judged = await judgeMutant(copy, mutant, red, complaints)
    copy.restore()
    const seconds = Math.round((performance.now() - started) / 100) / 10
    outcomes.push({ name: mutant.name, seconds, ...judged })
    const place = `${index + 1}/${chosen.length}`.padStart(7)
    say(`${place} ${judged.status.padEnd(14)} ${mutant.name} (${seconds} s) ${cut(judged.detail)}`)
  }
  return outcomes
}

const count = (outcomes: ReadonlyArray<Outcome>, ...statuses: ReadonlyArray<Status>): number =>
  outcomes.filter((outcome) => statuses.includes(outcome.status)).length

const summaryOf = (outcomes: ReadonlyArray<Outcome>): string => {
  const explained = count(outcomes, "equivalent")
  const bad = outcomes.filter((outcome) => !good.has(outcome.status) && outcome.status !== "survived")
  return [
    `${count(outcomes, "killed")} killed, ${count(outcomes, "survived", "equivalent")} survived`,
    ...(explained === 0 ? [] : [` (${explained} explained)`]),
    ...(bad.length === 0 ? [] : [`, ${bad.length} not judged: ${bad.map((one) => one.name).join(", ")}`]),
  ].join("")
}

if (values.list) {
  for (const { name, rule, breaks, edits, equivalent } of chosen)
    console.log(
      `${name}\n  ${rule}; ${[...new Set(edits.map((edit) => edit.file))].join(", ")}\n  ${breaks}${
        equivalent === undefined ? "" : `\n  equivalent: ${equivalent}`
      }`,
    )
  console.log(`${chosen.length} mutants`)
} else {
  if (chosen.length === 0) throw new Error(`no mutant's name holds ${only?.join(" or ")}; --list names them all`)
  // It takes minutes of both cores; whatever somebody waits for goes first.
  setPriority(10)
  const copy = new Copy(fileURLToPath(new URL("../..", import.meta.url)), values.committed)
  const stop = (): void => {
    copy.remove()
    process.exit(130)
  }
  process.once("SIGINT", stop)
  process.once("SIGTERM", stop)
  try {
    const outcomes = await run(copy)
    say(summaryOf(outcomes))
    if (values.json) console.log(JSON.stringify({ outcomes, summary: summaryOf(outcomes) }, null, 2))
    process.exitCode = outcomes.every((outcome) => good.has(outcome.status)) ? 0 : 1
  } finally {
    copy.remove()
  }
}
