/**
 * What every file in src must keep to: who may import whom, what the pure layers must not touch, and how long things
 * may get. `tidy` takes sources as data, so that the test can prove each rule on a planted violation.
 */
import { posix } from "node:path"
import { type ModuleUse, moduleUses, nameOf, nodesIn, parse, type Syntax, type Visit } from "./syntax.ts"

/** `path` is relative to the repository, with slashes: `src/machines/ids.ts`. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** Below the adapters: no clock, no chance, no timers, no I/O. */
const pure = new Set(["machines", "definition", "runtime"])
/** Their output is for whoever embeds them; the command line and the test harness print. */
const silent = new Set([...pure, "adapters", "sdk", "mcp"])

/** Who may import whom; what is not listed is an error. Files directly in src (index.ts, effect.ts) may import all. */
const layers: Readonly<Record<string, ReadonlyArray<string>>> = {
  machines: ["machines"],
  definition: ["machines", "definition"],
  runtime: ["machines", "definition", "runtime"],
  adapters: ["machines", "definition", "runtime", "adapters"],
  sdk: ["machines", "definition", "runtime", "adapters", "sdk"],
  testing: ["machines", "definition", "runtime", "adapters", "sdk", "testing"],
  mcp: ["machines", "definition", "runtime", "adapters", "sdk", "mcp"],
  cli: ["machines", "definition", "runtime", "adapters", "sdk", "testing", "mcp", "cli"],
}

const packages: Readonly<Record<string, RegExp>> = {
  machines: /^(xstate|effect(\/[A-Z]\w*)?)$/,
  definition: /^(yaml|ajv(\/.+)?|effect(\/.+)?|node:crypto)$/,
  runtime: /^effect(\/.+)?$/,
  adapters: /^(effect(\/.+)?|kysely(\/.+)?|better-sqlite3|pg|@opentelemetry\/api|node:.+|#.+)$/,
  sdk: /^(effect(\/.+)?|ai|@openai\/agents|node:.+)$/,
  testing: /^(effect(\/.+)?|fast-check|node:.+)$/,
  mcp: /^(@modelcontextprotocol\/sdk(\/.+)?|effect(\/.+)?|node:.+)$/,
  cli: /^(effect(\/.+)?|node:.+)$/,
}

/** What Effect 4.1 marks `@stability unstable` or `experimental`: it may change in a minor release. */
const unstableModules =
  /^effect\/(cluster|workflow|eventlog|sql|rpc|http|http-api|cli|persistence|observability|process|socket|reactivity|schema|encoding|graphql|net|testing|unstable)(\/|$)/
const unstableNames = new Set([
  "LayerMap",
  "PartitionedSemaphore",
  "Arbitrary",
  "ExecutionPlan",
  "ErrorReporter",
  "TxQueue",
  "Graph",
])
/** The modules of Effect that run something, hold something or know the time. The rules use the others: data. */
const runningModules = new Set(
  (
    "Effect Layer ManagedRuntime Runtime Scope Fiber FiberMap FiberSet FiberHandle Queue PubSub Deferred Ref " +
    "SubscriptionRef SynchronizedRef RcMap RcRef Cache ScopedCache Semaphore Latch Schedule Scheduler Stream Sink " +
    "Channel Config ConfigProvider Logger Tracer Metric Clock Random Console FileSystem Path Terminal Pool Request " +
    "RequestResolver Context"
  ).split(" "),
)
const bannedGlobals: Readonly<Record<string, string>> = {
  setTimeout: "time comes from Clock and Effect.sleep",
  setInterval: "time comes from Clock and Schedule",
  setImmediate: "the scheduler decides what runs next",
  queueMicrotask: "the scheduler decides what runs next",
  performance: "time comes from Clock",
  crypto: "ids and chance come as facts or services",
  fetch: "I/O belongs to the adapters",
  process: "the environment belongs to the adapters",
  globalThis: "name what you use",
}
const chance = /^(random\w*|getRandomValues|webcrypto)$/

const longestLine = 130
const longestFile = 500

/** Every violation, as `path:line: what and why`. */
export const tidy = (sources: ReadonlyArray<Source>): ReadonlyArray<string> =>
  sources.flatMap(({ path, text }) => {
    const syntax = parse(path, text)
    if (syntax.errors.length > 0) return [`${path}:1: does not parse: ${syntax.errors[0]}`]
    const layer = layerOf(path)
    const problems: Array<readonly [line: number, what: string]> = []
    const report = (offset: number, what: string) => problems.push([syntax.lineAt(offset), what])
    if (layer !== "" && layers[layer] === undefined) report(0, `${layer} is no layer; add it to test/house/tidy.ts`)
    for (const use of moduleUses(syntax)) for (const fault of importFaults(path, use)) report(use.offset, fault)
    const declared = declaredNames(syntax)
    for (const visit of syntax.visits)
      for (const fault of nodeFaults(layer, visit, declared)) report(visit.node.start, fault)
    for (const { value, start } of syntax.comments) for (const fault of commentFaults(value)) report(start, fault)
    const lines = text.split("\n")
    lines.forEach((line, index) => {
      if ([...line].length > longestLine) problems.push([index + 1, `longer than ${longestLine} columns`])
    })
    if (lines.length - 1 > longestFile) problems.push([1, `longer than ${longestFile} lines`])
    return problems.toSorted(([a], [b]) => a - b).map(([line, what]) => `${path}:${line}: ${what}`)
  })

const layerOf = (path: string): string => {
  const [, folder, ...rest] = path.split("/")
  return rest.length === 0 ? "" : (folder ?? "")
}

const importFaults = (path: string, { specifier, names }: ModuleUse): ReadonlyArray<string> => {
  const layer = layerOf(path)
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(path), specifier)
    if (!target.startsWith("src/")) return [`src must not import ${target}`]
    const to = layerOf(target)
    if (layer === "") return []
    if (to === "") return [`${layer} must not import ${target}, which imports everything`]
    return layers[layer]?.includes(to) === false ? [`${layer} must not import ${to}`] : []
  }
  if (layer === "") return []
  if (packages[layer]?.test(specifier) === false) return [`${layer} must not import the package ${specifier}`]
  if (!pure.has(layer)) return []
  const faults: Array<string> = []
  const modules = specifier === "effect" ? names : [specifier.replace(/^effect\//, "")]
  for (const name of specifier.startsWith("effect") ? modules : []) {
    if (unstableModules.test(`effect/${name}`) || unstableNames.has(name)) {
      faults.push(`${layer} must not import effect's ${name}: it is unstable`)
    } else if (layer === "machines" && runningModules.has(name)) {
      faults.push(`machines must not import effect's ${name}: the rules are pure data`)
    }
  }
  if (/^(node:)?crypto$/.test(specifier)) {
    for (const name of names)
      if (chance.test(name)) faults.push(`${layer} must not use ${name}: ${bannedGlobals.crypto}`)
  }
  return faults
}

const nodeFaults = (
  layer: string,
  { node, parent, key }: Visit,
  declared: ReadonlySet<string>,
): ReadonlyArray<string> => {
  if (node.type === "TSAnyKeyword") return ["any is banned: give it a type"]
  const name = nameOf(node)
  const isReference = node.type === "Identifier" && name !== undefined && !isMemberName(parent, key)
  if (isReference && silent.has(layer) && name === "console" && !declared.has(name)) {
    return [`${layer} must not use console: use Effect.log`]
  }
  if (!pure.has(layer)) return []
  if (isReference && !declared.has(name) && Object.hasOwn(bannedGlobals, name)) {
    return [`${layer} must not use ${name}: ${bannedGlobals[name]}`]
  }
  if (node.type === "MemberExpression") {
    const member = `${nameOf(node.object) ?? ""}.${nameOf(node.property) ?? ""}`
    if (member === "Date.now") return [`${layer} must not use Date.now: time comes as a fact or from Clock`]
    if (member === "Math.random") return [`${layer} must not use Math.random: chance comes as a fact or from Random`]
  }
  const makesDate = (node.type === "NewExpression" || node.type === "CallExpression") && nameOf(node.callee) === "Date"
  if (makesDate && nodesIn(node.arguments).length === 0) {
    return [`${layer} must not use new Date(): time comes as a fact or from Clock`]
  }
  return []
}

const commentFaults = (comment: string): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const silencer = /^[\s*]*(@ts-(?:ignore|nocheck|expect-error))\b/.exec(comment)?.[1]
  if (silencer !== undefined) faults.push(`${silencer} is banned: give it a type`)
  const mark = /\b(TODO|FIXME|XXX|HACK)\b(?!\s*\(?#\d)/.exec(comment)?.[1]
  if (mark !== undefined) faults.push(`${mark} without an issue: write ${mark}(#12)`)
  return faults
}

/** True where a name is a label, a member or a key and no reference of its own: `a.name`, `{ name: 1 }`. */
const isMemberName = (parent: Visit["parent"], key: string): boolean =>
  /^(imported|exported|label|parameters)$/.test(key) ||
  (/^(property|key)$/.test(key) && parent !== undefined && parent.computed !== true)

/** Names that the file gives a meaning of its own; they hide the globals. */
const declaredNames = ({ visits }: Syntax): ReadonlySet<string> => {
  const unpacked = new Set(
    visits.flatMap(({ node }) => (node.type === "ObjectPattern" ? nodesIn(node.properties) : [])),
  )
  const names = new Set<string>()
  for (const { node, key, parent } of visits) {
    const name = nameOf(node)
    if (node.type !== "Identifier" || name === undefined || parent === undefined) continue
    const isDeclared = /^(id|local|params)$/.test(key) || (key === "left" && parent.type === "AssignmentPattern")
    if (isDeclared || (key === "value" && unpacked.has(parent))) names.add(name)
  }
  return names
}
