/** The OpenAPI document as the fuzzer reads it: nothing is known of the API but what it says of itself. */
export type Json = Readonly<Record<string, unknown>>
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export interface Operation {
  readonly id: string
  readonly method: string
  /** With `{name}` for a parameter. */
  readonly path: string
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly in: string; readonly schema: Json }>
  /** Undefined without a body. */
  readonly body: Json | undefined
  /** Every status that it documents, with the codes of its problems. */
  readonly responses: ReadonlyMap<number, ReadonlySet<string>>
}

export interface Document {
  readonly operations: ReadonlyArray<Operation>
  resolve(schema: Json): { readonly name: string | undefined; readonly schema: Json }
}

export const readDocument = (document: Json): Document => {
  const components =
    isObject(document.components) && isObject(document.components.schemas) ? document.components.schemas : {}
  const resolve: Document["resolve"] = (schema) => {
    const [, name] = /^#\/components\/schemas\/(.+)$/.exec(String(schema.$ref ?? "")) ?? []
    const target = name === undefined ? undefined : components[name]
    return name === undefined ? { name, schema } : { name, schema: isObject(target) ? target : {} }
  }
  const operations: Array<Operation> = []
  for (const [path, item] of Object.entries(isObject(document.paths) ? document.paths : {}))
    for (const [method, operation] of Object.entries(isObject(item) ? item : {}))
      if (isObject(operation)) operations.push(operationOf(path, method, operation, resolve))
  return { operations, resolve }
}

const operationOf = (path: string, method: string, operation: Json, resolve: Document["resolve"]): Operation => {
  const parameters = (Array.isArray(operation.parameters) ? operation.parameters : []).filter(isObject)
  return {
    id: String(operation.operationId),
    method: method.toUpperCase(),
    path,
    parameters: parameters.map((one) => ({
      name: String(one.name),
      in: String(one.in),
      schema: isObject(one.schema) ? one.schema : {},
    })),
    body: schemaIn(operation.requestBody, "application/json"),
    responses: new Map(
      Object.entries(isObject(operation.responses) ? operation.responses : {}).map(([status, response]) => [
        Number(status),
        codesIn(schemaIn(response, "application/problem+json"), resolve),
      ]),
    ),
  }
}

const schemaIn = (holder: unknown, type: string): Json | undefined => {
  const content = isObject(holder) && isObject(holder.content) ? holder.content[type] : undefined
  return isObject(content) && isObject(content.schema) ? content.schema : undefined
}

const codesIn = (schema: Json | undefined, resolve: Document["resolve"]): ReadonlySet<string> => {
  const properties = schema === undefined ? {} : resolve(schema).schema.properties
  const text = JSON.stringify(isObject(properties) ? (properties.code ?? {}) : {})
  return new Set([...text.matchAll(/"([a-z_]+)"(?=[,\]])/g)].map(([, code]) => code ?? ""))
}
