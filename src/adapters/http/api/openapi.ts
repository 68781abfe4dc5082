/** `/openapi.json`: what `effect` makes of the definition, with the security, headers and examples that it has no words for. */
import { Context } from "effect"
import { HttpApi, OpenApi } from "effect/http-api"
import { routes } from "../routes.ts"
import { Access, explanations, type Rule } from "./Access.ts"
import { Api } from "./Api.ts"
import { problemCodes } from "./problems.ts"

/** Any part of the document: JSON that is looked at member by member. */
type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const objectsIn = (value: unknown): ReadonlyArray<Json> =>
  isObject(value) ? Object.values(value).filter(isObject) : []

const securitySchemes = {
  apiKey: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "hrk_…",
    description: "An API key of a tenant, with scopes. On loopback, while no key was made, none is needed.",
  },
  sessionToken: {
    type: "apiKey",
    in: "header",
    name: "Handrail-Session",
    description: "The token that a session got when it was created: proves that the caller is that session.",
  },
}
const security: Readonly<Record<Rule, ReadonlyArray<Readonly<Record<string, ReadonlyArray<string>>>>>> = {
  open: [{}, { apiKey: [] }],
  enter: [{ apiKey: [] }],
  list: [{ apiKey: [] }],
  operate: [{ apiKey: [] }],
  act: [{ apiKey: [], sessionToken: [] }, { apiKey: [] }],
  look: [{ apiKey: [], sessionToken: [] }, { apiKey: [] }],
  watch: [{ apiKey: [], sessionToken: [] }, { apiKey: [] }],
  settle: [{ apiKey: [], sessionToken: [] }, { apiKey: [] }],
}

const sequenceHeader = {
  "Handrail-Seq": { description: "The workflow's sequence as of this answer.", schema: { type: "integer" } },
}
const retryHeader = { "Retry-After": { description: "Seconds.", schema: { type: "integer" } } }

let made: Json | undefined

/** Made once; not to be changed. */
export const openApiDocument = (): Json => {
  made ??= make()
  return made
}

const make = (): Json => {
  const rules = new Map<string, Rule>()
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ group, endpoint, mergedAnnotations }) => {
      const rule = Context.getOrUndefined(mergedAnnotations, Access)
      if (rule !== undefined) rules.set(`${group.identifier}.${endpoint.identifier}`, rule)
    },
  })
  // A copy as plain JSON: what is added below stays ours.
  const document: Json = JSON.parse(JSON.stringify(OpenApi.fromApi(Api)))
  const components: Json = isObject(document.components) ? document.components : {}
  for (const path of objectsIn(document.paths))
    for (const operation of objectsIn(path)) finish(operation, rules, components)
  document.components = { ...components, securitySchemes, examples: examples() }
  return document
}

const finish = (operation: Json, rules: ReadonlyMap<string, Rule>, components: Json): void => {
  const id = String(operation.operationId)
  const rule = rules.get(id) ?? "operate"
  operation.operationId = id.slice(id.indexOf(".") + 1)
  operation.security = security[rule]
  operation.description = explanations[rule]
  if (isObject(operation.requestBody))
    operation.requestBody.required = !routes.some((route) => route.id === operation.operationId && route.isBodyOptional)
  // The security scheme says it already, and a document may say it only once.
  if (Array.isArray(operation.parameters))
    operation.parameters = operation.parameters.filter(
      (one) => !isObject(one) || (one.name !== "handrail-session" && one.name !== "accept"),
    )
  if (isObject(operation.responses))
    for (const [status, response] of Object.entries(operation.responses)) {
      if (!isObject(response)) continue
      if (status.startsWith("2")) response.headers = rule === "open" || rule === "list" ? {} : sequenceHeader
      if (status === "503" || status === "429") response.headers = retryHeader
      addExamples(response, components)
      if (operation.operationId === "events" && status === "200") addStream(response)
    }
}

/** An example for each code that the operation can answer with this status. */
const addExamples = (response: Json, components: Json): void => {
  const content = isObject(response.content) ? response.content["application/problem+json"] : undefined
  if (!isObject(content) || !isObject(content.schema)) return
  const codes = codesOf(content.schema, components)
  content.examples = Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]))
}

const codesOf = (schema: Json, components: Json): ReadonlyArray<string> => {
  const [, name] = /^#\/components\/schemas\/(.+)$/.exec(String(schema.$ref ?? "")) ?? []
  const schemas = isObject(components.schemas) ? components.schemas : {}
  const target = name === undefined ? schema : schemas[name]
  const properties = isObject(target) && isObject(target.properties) ? target.properties : {}
  // An `enum` of its own, or within an `anyOf`.
  const text = JSON.stringify(properties.code ?? null)
  return [...text.matchAll(/"([a-z_]+)"(?=[,\]])/g)]
    .map(([, code]) => code ?? "")
    .filter((code) => Object.hasOwn(problemCodes, code))
}

const examples = () =>
  Object.fromEntries(
    Object.entries(problemCodes).map(([code, { title, status, retryable }]) => [
      code,
      { value: { type: `urn:handrail:problem:${code}`, title, status, code, detail: `${title}.`, retryable } },
    ]),
  )

const addStream = (response: Json): void => {
  if (!isObject(response.content)) return
  response.content["text/event-stream"] = {
    schema: {
      type: "string",
      description:
        "Server-sent events: `id` is the sequence, `event` the type, `data` an Event as JSON. Comments keep a quiet " +
        "stream alive; it resumes after `Last-Event-ID`.",
    },
    examples: { killed: { value: 'id: 7\nevent: killed\ndata: {"seq":7,"type":"killed"}\n\n' } },
  }
}
