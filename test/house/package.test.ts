/** What gets published: packed, unpacked somewhere else, and used from there as a stranger would. */
import { execFileSync, spawnSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { homedir, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { packageFile, root, sourceOf } from "./package.ts"

const { name, commands, dependencies, offers, started } = packageFile()
/** As long as the package has no main entry, parts that have no source yet are passed over, with a reason. */
const isComplete = existsSync(join(root, "src", "index.ts"))
const isWritten = (distFile: string) => isComplete || existsSync(join(root, sourceOf(distFile)))

let folder = ""
let installed = ""
let files: ReadonlyArray<string> = []

const inFolder = (command: string, args: ReadonlyArray<string>) =>
  execFileSync(command, args, { cwd: folder, encoding: "utf8", timeout: 60_000 })

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "handrail-package-"))
  const packArgs = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder]
  execFileSync("npm", packArgs, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  const tarball = readdirSync(folder).find((file) => file.endsWith(".tgz"))
  if (tarball === undefined) throw new Error("npm pack wrote no tarball")
  inFolder("tar", ["-xzf", tarball])
  installed = join(folder, "node_modules", name)
  mkdirSync(installed, { recursive: true })
  inFolder("mv", [...readdirSync(join(folder, "package")).map((file) => join("package", file)), installed])
  // Links in place of an install: it would compile the SQLite addon again, and prove nothing about this package.
  for (const dependency of [...dependencies, "@types/node"]) {
    const link = join(folder, "node_modules", dependency)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, "node_modules", dependency), link)
  }
  writeFileSync(join(folder, "package.json"), `{ "name": "stranger", "private": true, "type": "module" }`)
  files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test("the package carries its licence, and only what a user needs", () => {
  expect(files).toContain("package.json")
  expect(files).toContain("LICENSE")
  expect(files.filter((file) => /^(src|test|bench|examples|scripts|node_modules)\//.test(file))).toEqual([])
  expect(files.filter((file) => /(^|\/)\.|\.(tgz|db|tsbuildinfo|test\.js)$/.test(file))).toEqual([])
})

test("no file of the package names the machine it was built on", () => {
  const places = [root, `${homedir()}/`, `${tmpdir()}/`, "file:///"]
  const found = files.flatMap((file) => {
    const text = readFileSync(join(installed, file), "utf8")
    return places.filter((place) => text.includes(place)).map((place) => `${file}: ${place}`)
  })
  expect(found).toEqual([])
})

test.each(offers)("$specifier is imported from outside the repository", ({ specifier, code, types }) => {
  if (!isWritten(code)) return
  expect(files).toContain(code.replace("./", ""))
  expect(files).toContain(types.replace("./", ""))
  writeFileSync(join(folder, "use.js"), `console.log(Object.keys(await import("${specifier}")).length)`)
  expect(Number(inFolder(process.execPath, ["use.js"]))).toBeGreaterThan(0)
})

test.each(started)("%s, which is started and not imported, is there", (file) => {
  if (isWritten(file)) expect(files).toContain(file.replace("./", ""))
})

test("the handrail command runs from an install, by npx", () => {
  const bin = join(folder, "node_modules", ".bin")
  mkdirSync(bin, { recursive: true })
  for (const [command, file] of Object.entries(commands)) {
    const script = join(installed, file)
    expect(readFileSync(script, "utf8").split("\n")[0]).toBe("#!/usr/bin/env node")
    // As npm does when it installs.
    chmodSync(script, 0o755)
    symlinkSync(script, join(bin, command))
  }
  writeFileSync(join(folder, "workflow.yaml"), `schema_version: "1.0"\nworkflow: alone\nroles: [{ name: one }]\n`)
  const said = spawnSync("npx", ["--no-install", "handrail", "simulate", "--runs", "50"], {
    cwd: folder,
    encoding: "utf8",
  })
  expect(said.stdout).toContain("DANGER stuck:one")
  expect(said.status).toBe(1)
})

test("its types stand on their own", () => {
  const usable = offers.filter(({ code }) => isWritten(code))
  const lines = usable.map(({ specifier }, index) => `export * as part${index} from "${specifier}"`)
  writeFileSync(join(folder, "use.ts"), lines.join("\n"))
  const compilerOptions = { strict: true, module: "NodeNext", noEmit: true, skipLibCheck: true, types: ["node"] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }))
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  expect(inFolder(process.execPath, [tsc, "-p", "."])).toBe("")
})
