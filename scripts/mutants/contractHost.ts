/**
 * A process that holds the runtime on memory against the model, for one mutant after another.
 *
 * It runs what test/properties/model.test.ts runs, from the seed of CI. Most mutants of the rules need nothing else, and a process
 * that keeps its packages loaded and its transforms cached judges one in a second, where a runner that starts anew needs many.
 * Each mutant gets the source evaluated afresh. Whoever started it ends it, also in the middle of a mutant that never ends.
 */
import type fc from "fast-check"
import { createServer, createServerModuleRunner } from "vite"
import type { run } from "../../src/testing/model/harness.ts"
import type { SutFactory } from "../../src/testing/model/sut.ts"
import type { Judgement } from "./judge.ts"

/** The files that changed since the last request, as absolute paths. */
export interface ContractRequest {
  readonly changed: ReadonlyArray<string>
}

const server = await createServer({
  root: process.cwd(),
  configFile: false,
  appType: "custom",
  logLevel: "silent",
  optimizeDeps: { noDiscovery: true, include: [] },
  resolve: { preserveSymlinks: true },
  server: { middlewareMode: true, hmr: false, watch: null, ws: false },
  ssr: { external: true },
})

const judge = async (): Promise<Judgement> => {
  const runner = createServerModuleRunner(server.environments.ssr, { hmr: false })
  try {
    const load = <A>(path: string): Promise<A> => runner.import(path)
    const check = await load<typeof import("fast-check")>("fast-check")
    const { suts } = await load<{ suts: ReadonlyArray<SutFactory> }>("/test/properties/suts.ts")
    const { parameters } = await load<{ parameters: <T>(runs: number) => fc.Parameters<T> }>(
      "/test/properties/parameters.ts",
    )
    const harness = await load<{ run: typeof run }>("/src/testing/model/harness.ts")
    const { intentions } = await load<typeof import("../../src/testing/model/commands.ts")>(
      "/src/testing/model/commands.ts",
    )
    const { definitions } = await load<typeof import("../../src/testing/model/definitions.ts")>(
      "/src/testing/model/definitions.ts",
    )
    const memory = suts.find((sut) => sut.name === "memory")
    if (memory === undefined) return { _tag: "broken", why: "test/properties/suts.ts has no system named memory" }
    const property = check.asyncProperty(definitions, intentions, async (definition, sequence) => {
      await harness.run(memory, definition, sequence)
    })
    const details = await check.check(property, parameters(memory.runs))
    if (!details.failed) return { _tag: "green" }
    const error = details.errorInstance
    const why = error instanceof Error ? error.message : String(error)
    return { _tag: "red", by: `the model, after ${details.numRuns} sequences`, why: tellingLine(why) }
  } catch (error) {
    return { _tag: "broken", why: error instanceof Error ? tellingLine(error.message) : String(error) }
  } finally {
    await runner.close()
  }
}

const tellingLine = (text: string): string => text.trim().split("\n")[0] ?? ""

process.on("message", ({ changed }: ContractRequest) => {
  const graph = server.environments.ssr.moduleGraph
  for (const file of changed) graph.onFileChange(file)
  void judge().then((judgement) => process.send?.(judgement))
})
process.send?.("ready")
