/** The layer rule and the house's bans, held over src; and each of them shown to fail on a planted violation. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, sep } from "node:path"
import { describe, expect, test } from "vitest"
import { unusedExports } from "./exports.ts"
import { packageFile, root } from "./package.ts"
import { type Source, tidy } from "./tidy.ts"

const sourcesIn = (folder: string): ReadonlyArray<Source> =>
  !existsSync(join(root, folder))
    ? []
    : readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.m?ts$/.test(entry.name))
        // bench/peers is a package of its own, and has its own where it is installed.
        .filter((entry) => !entry.parentPath.split(sep).includes("node_modules"))
        .map((entry) => join(entry.parentPath, entry.name))
        .map((file) => ({ path: file.slice(root.length).replaceAll("\\", "/"), text: readFileSync(file, "utf8") }))

describe("src", () => {
  test("keeps to its layers and to the house's bans", () => {
    expect(tidy(sourcesIn("src"))).toEqual([])
  })

  test("exports nothing that nobody imports", () => {
    const entries = packageFile().entries.filter((path) => existsSync(join(root, path)))
    expect(entries).toContain("src/index.ts")
    const users = ["test", "bench", "examples"].flatMap(sourcesIn)
    expect(unusedExports(sourcesIn("src"), users, entries)).toEqual([])
  })
})

describe("a planted violation is found", () => {
  const inFile = (path: string, text: string) => tidy([{ path: `src/${path}`, text }])
  const cases: ReadonlyArray<readonly [path: string, text: string, problem: string]> = [
    ["machines/a.ts", `import { x } from "../runtime/x.ts"`, "machines must not import runtime"],
    ["machines/a.ts", `export type { X } from "../sdk/x.ts"`, "machines must not import sdk"],
    ["machines/a.ts", `type X = import("../adapters/x.ts").X`, "machines must not import adapters"],
    ["definition/a.ts", `import type { X } from "../runtime/x.ts"`, "definition must not import runtime"],
    ["runtime/a.ts", `const x = import("../adapters/x.ts")`, "runtime must not import adapters"],
    [
      "runtime/a.ts",
      `import {\n  x,\n} from "../index.ts"`,
      "runtime must not import src/index.ts, which imports everything",
    ],
    ["adapters/kysely/a.ts", `export * from "../../sdk/x.ts"`, "adapters must not import sdk"],
    ["sdk/a.ts", `import { x } from "../cli/x.ts"`, "sdk must not import cli"],
    ["runtime/a.ts", `import { x } from "../../test/x.ts"`, "src must not import test/x.ts"],
    ["helpers/a.ts", "", "helpers is no layer; add it to test/house/tidy.ts"],
    ["machines/a.ts", `import { parse } from "yaml"`, "machines must not import the package yaml"],
    [
      "machines/a.ts",
      `import { Clock } from "effect"`,
      "machines must not import effect's Clock: the rules are pure data",
    ],
    ["runtime/a.ts", `import { readFileSync } from "node:fs"`, "runtime must not import the package node:fs"],
    ["runtime/a.ts", `import { Kysely } from "kysely"`, "runtime must not import the package kysely"],
    ["runtime/a.ts", `import { LayerMap } from "effect"`, "runtime must not import effect's LayerMap: it is unstable"],
    ["runtime/a.ts", `import * as Sql from "effect/sql"`, "runtime must not import effect's sql: it is unstable"],
    [
      "definition/a.ts",
      `import { randomUUID } from "node:crypto"`,
      "definition must not use randomUUID: ids and chance",
    ],
    ["runtime/a.ts", "const now = Date.now()", "runtime must not use Date.now: "],
    ["runtime/a.ts", "const clock = Date\n  .now", "runtime must not use Date.now: "],
    ["machines/a.ts", "const now = new Date()", "machines must not use new Date(): "],
    ["machines/a.ts", "const dice = Math.random()", "machines must not use Math.random: "],
    ["runtime/a.ts", "const id = crypto.randomUUID()", "runtime must not use crypto: "],
    ["runtime/a.ts", "setTimeout(() => {}, 5)", "runtime must not use setTimeout: "],
    ["runtime/a.ts", "globalThis.setInterval(() => {}, 5)", "runtime must not use globalThis: "],
    ["definition/a.ts", "queueMicrotask(() => {})", "definition must not use queueMicrotask: "],
    ["runtime/a.ts", `console.log("here")`, "runtime must not use console: "],
    ["adapters/a.ts", `console.log("here")`, "adapters must not use console: "],
    ["sdk/a.ts", "const x = y as any", "any is banned"],
    ["sdk/a.ts", "const f = (x: Array<any>) => x", "any is banned"],
    ["cli/a.ts", "// @ts-ignore\nconst x: number = 1", "@ts-ignore is banned"],
    ["cli/a.ts", "// TODO: later", "TODO without an issue"],
    ["cli/a.ts", `const x = "${"x".repeat(130)}"`, "longer than 130 columns"],
    ["cli/a.ts", "\n".repeat(501), "longer than 500 lines"],
    ["cli/a.ts", "const = 1", "does not parse"],
  ]

  test.each(cases)("%s: %s", (path, text, problem) => {
    expect(inFile(path, text).join("\n")).toContain(`: ${problem}`)
  })

  test("and what only looks like one is left alone", () => {
    const text = `
      import { Effect, Schema } from "effect"
      import type { Rule } from "../machines/rules.ts"
      // Never Date.now() or setTimeout here, any of them. TODO(#12): say why.
      const message = "console.log, as any, Math.random()"
      const at = (facts: { now: number; process: string }) => new Date(facts.now)
      const wait = (process: () => void) => ({ setTimeout: process, fetch: message.fetch })
      export const program = Effect.sleep(5)
    `
    expect(inFile("runtime/a.ts", text)).toEqual([])
    expect(inFile("index.ts", `export * from "./cli/x.ts"`)).toEqual([])
    expect(inFile("adapters/http/a.ts", "setTimeout(() => fetch(url), Date.now())")).toEqual([])
  })

  test("and carries the line it is on", () => {
    expect(inFile("machines/a.ts", `\n\nimport { x } from "../sdk/x.ts"\n`)).toEqual([
      "src/machines/a.ts:3: machines must not import sdk",
    ])
  })
})

describe("an export that nobody imports is found", () => {
  const file = (path: string, text: string): Source => ({ path, text })

  test("where no file and no entry wants it", () => {
    const sources = [
      file("src/index.ts", `export { a } from "./a.ts"\nexport * from "./b.ts"`),
      file("src/a.ts", "export const a = 1\nexport const left = 2"),
      file("src/b.ts", `export const b = 1\nexport { inner as c } from "./c.ts"`),
      file("src/c.ts", "export const inner = 1\nexport function outer() {}\nexport type Tested = 1"),
    ]
    const users = [file("test/c.test.ts", `import type { Tested } from "../src/c.ts"`)]
    expect(unusedExports(sources, users, ["src/index.ts"])).toEqual([
      "src/a.ts:2: left is exported, but nobody imports it",
      "src/c.ts:2: outer is exported, but nobody imports it",
    ])
  })

  test("unless it is a type in the signature of another", () => {
    const sources = [
      file(
        "src/a.ts",
        "export interface Options { x: 1 }\nexport interface Alone {}\nexport const f = (o: Options) => o",
      ),
      file("src/b.ts", `import { f } from "./a.ts"\nf`),
    ]
    expect(unusedExports(sources, [], [])).toEqual(["src/a.ts:2: Alone is exported, but nobody imports it"])
  })

  test("also behind a barrel that passes it on to nobody", () => {
    const sources = [
      file("src/barrel.ts", `export * from "./a.ts"\nexport { a as b } from "./a.ts"`),
      file("src/a.ts", "export const a = 1"),
    ]
    expect(unusedExports(sources, [], [])).toEqual([
      "src/barrel.ts:2: b is exported, but nobody imports it",
      "src/a.ts:1: a is exported, but nobody imports it",
    ])
    const users = [file("test/a.test.ts", `const { b } = await import("../src/barrel.ts")`)]
    expect(unusedExports(sources, users, [])).toEqual([])
  })
})
