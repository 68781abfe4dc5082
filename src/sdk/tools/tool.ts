/**
 * Tools with a JSON schema of their arguments: a call that does not fit is blocked before it is admitted, and models are offered
 * the tool as it is.
 */
import { compileSchema } from "../../definition/summarySchema.ts"
import { type ContractFailure, ReplayConfigError } from "../errors.ts"
import type { ToolContext, Tools } from "./Tools.ts"

/** JSON Schema, Draft 2020-12, of an object: the tool's arguments. It holds all that it refers to; nothing is fetched. */
export interface ParametersSchema {
  readonly type: "object"
  readonly [keyword: string]: unknown
}

export interface ToolDefinition<A, R> {
  /** For the model. */
  readonly description?: string
  readonly parameters: ParametersSchema
  readonly run: (args: A, context: ToolContext) => R
}

/** A tool that knows its schema; else a function as any other. */
export interface DefinedTool<A, R> {
  (args: A, context: ToolContext): R
  readonly definition: ToolDefinition<A, R>
}

/** Defines a tool. The schema is compiled by `replay`, which says what is wrong with it. */
export const tool = <A, R>(definition: ToolDefinition<A, R>): DefinedTool<A, R> =>
  Object.assign((args: A, context: ToolContext) => definition.run(args, context), { definition })

interface Offer {
  readonly name: string
  readonly description?: string
  readonly parameters: ParametersSchema
}

/** A tool as a provider's request offers it. */
export interface OfferedTools {
  readonly "openai.chat": {
    type: "function"
    function: { name: string; description?: string; parameters: Record<string, unknown> }
  }
  readonly "openai.responses": {
    type: "function"
    name: string
    description?: string
    parameters: Record<string, unknown>
    strict: boolean
  }
  readonly "anthropic.messages": {
    name: string
    description?: string
    input_schema: { type: "object"; [keyword: string]: unknown }
  }
}

const formats: { readonly [K in keyof OfferedTools]: (offer: Offer) => OfferedTools[K] } = {
  "openai.chat": ({ name, description, parameters }) => ({
    type: "function",
    function: { name, ...(description === undefined ? {} : { description }), parameters: { ...parameters } },
  }),
  "openai.responses": ({ name, description, parameters }) => ({
    type: "function",
    name,
    ...(description === undefined ? {} : { description }),
    parameters: { ...parameters },
    strict: false,
  }),
  "anthropic.messages": ({ name, description, parameters }) => ({
    name,
    ...(description === undefined ? {} : { description }),
    input_schema: { ...parameters },
  }),
}

/** The schemas of a session's tools. */
export class ToolSchemas {
  readonly #offers = new Map<string, Offer>()
  readonly #problemOf = new Map<string, (input: unknown) => ContractFailure | undefined>()

  constructor(tools: Tools) {
    for (const [name, each] of Object.entries(tools)) {
      if (!isDefined(each)) continue
      const { description, parameters } = each.definition
      this.#offers.set(name, { name, parameters, ...(description === undefined ? {} : { description }) })
      this.#problemOf.set(name, checker(name, parameters))
    }
  }

  /** What is wrong with a call's arguments; undefined where nothing is, or where the tool has no schema. */
  problemOf(tool: string, input: unknown): ContractFailure | undefined {
    return this.#problemOf.get(tool)?.(input ?? {})
  }

  /** The tools of these names that have a schema, for a request to this provider. */
  offered<K extends keyof OfferedTools>(provider: K, names: ReadonlyArray<string>): Array<OfferedTools[K]> {
    const format = Object.hasOwn(formats, provider) ? formats[provider] : undefined
    if (format === undefined)
      throw new ReplayConfigError("provider", `provider must be one of ${Object.keys(formats).join(", ")}.`)
    return names.flatMap((name) => {
      const offer = this.#offers.get(name)
      return offer === undefined ? [] : [format(offer)]
    })
  }
}

const isDefined = (value: unknown): value is DefinedTool<never, unknown> =>
  typeof value === "function" && "definition" in value

const checker = (tool: string, schema: unknown) => {
  const compiled = compileSchema(schema)
  if (!compiled.ok) {
    const [problem] = compiled.problems
    const place = ["parameters", ...(problem?.path ?? [])].join(".")
    throw new ReplayConfigError("tools", `The schema of ${tool} is not valid at ${place}: ${problem?.message ?? ""}.`)
  }
  return (input: unknown): ContractFailure | undefined => {
    const problem = compiled.validate(input)?.[0]
    if (problem === undefined) return undefined
    const path = `$${problem.path.replaceAll("/", ".")}`
    const detail = `its arguments do not fit the tool's schema: ${path} ${problem.message}.`
    return { tool, path, operator: "parameters", code: "invalid_arguments", detail }
  }
}
