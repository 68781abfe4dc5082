/**
 * Tests of one value in a call's arguments or a tool's output: a path, and operators that must all hold of what is there.
 *
 * A path that leads nowhere fails every operator but `exists: false`. An operator fails a value of a kind that it does not
 * know (`gte` of a text), and converts nothing.
 */
import { parseArgumentPath, valueAt } from "../paths.ts"
import { shortened, shown } from "./ContractFailure.ts"
import type { TestSource } from "./contractSchema.ts"
import { jsonEquals } from "./jsonEquals.ts"

/** In the order in which they are applied, whatever the order in the file: canonical JSON does not keep that. */
const operators = [
  "exists",
  "type",
  "equals",
  "one_of",
  "contains",
  "regex",
  "gte",
  "lte",
  "length_gte",
  "length_lte",
] as const
type Operator = (typeof operators)[number]

interface Condition {
  readonly operator: Operator
  /** How the sentence goes on after "it must". */
  readonly demand: string
  readonly holds: (value: unknown) => boolean
}

export interface ValueTest {
  /** As it is written. */
  readonly path: string
  readonly members: ReadonlyArray<string>
  readonly conditions: ReadonlyArray<Condition>
}

export interface FailedTest {
  readonly path: string
  readonly operator: Operator
  readonly detail: string
}

export const compileTest = (source: TestSource): ValueTest => {
  const members = parseArgumentPath(source.path)
  if (members === undefined) throw new TypeError(`${source.path} is no path`)
  const conditions = operators.flatMap((operator) => {
    const condition = compileCondition(operator, source)
    return condition === undefined ? [] : [{ operator, ...condition }]
  })
  return { path: source.path, members, conditions }
}

/** Every operator of every test that fails; `whole` is what the paths lead into. */
export const failedTests = (tests: ReadonlyArray<ValueTest>, whole: unknown): ReadonlyArray<FailedTest> => {
  let failed: Array<FailedTest> | undefined
  for (const { path, members, conditions } of tests) {
    const value = valueAt(whole, members)
    for (const { operator, demand, holds } of conditions) {
      if (holds(value)) continue
      failed ??= []
      failed.push({ path, operator, detail: `${path} is ${shown(value)}, but it must ${demand}.` })
    }
  }
  return failed ?? none
}
const none: ReadonlyArray<FailedTest> = []

type Compiled = Omit<Condition, "operator"> | undefined

const compileCondition = (operator: Operator, source: TestSource): Compiled => {
  switch (operator) {
    case "exists":
      return existence(source.exists)
    case "type":
      return typed(source.type)
    case "equals":
      return equality(source.equals)
    case "one_of":
      return choice(source.one_of)
    case "contains":
      return content(source.contains)
    case "regex":
      return pattern(source.regex)
    case "gte":
      return ofNumber("be a number of at least", source.gte, (value, bound) => value >= bound)
    case "lte":
      return ofNumber("be a number of at most", source.lte, (value, bound) => value <= bound)
    case "length_gte":
      return ofLength("at least", source.length_gte, (length, bound) => length >= bound)
    case "length_lte":
      return ofLength("at most", source.length_lte, (length, bound) => length <= bound)
  }
}

const existence = (wanted: boolean | undefined): Compiled =>
  wanted === undefined
    ? undefined
    : { demand: wanted ? "be there" : "be left out", holds: (value) => (value !== undefined) === wanted }

const typed = (type: TestSource["type"]): Compiled =>
  type === undefined ? undefined : { demand: `be of the type ${type}`, holds: (value) => hasType(value, type) }

const hasType = (value: unknown, type: NonNullable<TestSource["type"]>): boolean => {
  switch (type) {
    case "null":
      return value === null
    case "integer":
      return Number.isInteger(value)
    case "array":
      return Array.isArray(value)
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value)
    default:
      return typeof value === type
  }
}

const written = (operand: unknown): string => shortened(JSON.stringify(operand))

const equality = (operand: TestSource["equals"]): Compiled =>
  operand === undefined
    ? undefined
    : { demand: `equal ${written(operand)}`, holds: (value) => jsonEquals(value, operand) }

const choice = (operands: TestSource["one_of"]): Compiled =>
  operands === undefined
    ? undefined
    : {
        demand: `be one of ${written(operands)}`,
        holds: (value) => operands.some((operand) => jsonEquals(value, operand)),
      }

const content = (operand: TestSource["contains"]): Compiled =>
  operand === undefined
    ? undefined
    : {
        demand: `contain ${written(operand)}`,
        holds: (value) =>
          Array.isArray(value)
            ? value.some((item: unknown) => jsonEquals(item, operand))
            : typeof value === "string" && typeof operand === "string" && value.includes(operand),
      }

const pattern = (text: string | undefined): Compiled => {
  if (text === undefined) return undefined
  const regex = new RegExp(text)
  return {
    demand: `be text that matches /${shortened(text)}/`,
    holds: (value) => typeof value === "string" && regex.test(value),
  }
}

const ofNumber = (
  demand: string,
  bound: number | undefined,
  holds: (value: number, bound: number) => boolean,
): Compiled =>
  bound === undefined
    ? undefined
    : { demand: `${demand} ${bound}`, holds: (value) => typeof value === "number" && holds(value, bound) }

const ofLength = (
  demand: string,
  bound: number | undefined,
  holds: (length: number, bound: number) => boolean,
): Compiled =>
  bound === undefined
    ? undefined
    : {
        demand: `be text or a list of a length of ${demand} ${bound}`,
        holds: (value) => (typeof value === "string" || Array.isArray(value)) && holds(value.length, bound),
      }
