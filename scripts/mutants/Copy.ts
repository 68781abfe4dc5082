/**
 * A copy of the repository in a temporary folder, in which a mutant may be built and tested.
 *
 * It holds what git tracks and what is new and not ignored, as it stands on disk; the checkout itself is only read. The
 * packages are links, in a node_modules of the copy's own, so that the tools' caches stay in the copy too.
 */
import { spawn, spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { ContractProcess } from "./ContractProcess.ts"
import { type Judgement, judge, type Report } from "./judge.ts"
import { applied, type Check, contract, type Mutant } from "./Mutant.ts"
import { testEnvironment } from "./testEnvironment.ts"

const reporter = fileURLToPath(new URL("FailureReporter.ts", import.meta.url))
/** A mutant that never comes back: longer than any check takes by far. */
const longestCheckMs = 120_000

interface Ended {
  readonly code: number | null
  readonly isLate: boolean
  readonly stdout: string
}

export class Copy {
  readonly #root: string
  readonly #folder: string
  #changed = new Map<string, string>()
  readonly #contract: ContractProcess
  #kill: (() => void) | undefined

  /** `committed` takes what the last commit holds: somebody else's half-done work may stand in the checkout. */
  constructor(root: string, committed: boolean) {
    this.#root = root
    this.#folder = mkdtempSync(join(tmpdir(), "handrail-mutants-"))
    if (committed) unpackHead(root, this.#folder)
    else copyFiles(root, this.#folder)
    this.#linkPackages()
    this.#loosenTypes()
    this.#contract = new ContractProcess(this.#folder)
    // It would compile before each run; here that is done when a check needs it.
    writeFileSync(join(this.#folder, "scripts", "vitest-setup.mjs"), "export default () => {}\n")
  }

  read(file: string): string {
    return readFileSync(join(this.#folder, file), "utf8")
  }

  /** Makes the mutant's edits, on top of those that were made, or says why they can't be made. */
  apply(mutant: Mutant): string | undefined {
    const result = applied(mutant, (file) => this.read(file))
    if ("problem" in result) return result.problem
    for (const [file, text] of result.texts) {
      if (!this.#changed.has(file)) this.#changed.set(file, this.read(file))
      this.#write(file, text)
    }
    return undefined
  }

  /** Puts the source back as it was. */
  restore(): void {
    for (const [file, text] of this.#changed) this.#write(file, text)
    this.#changed.clear()
  }

  #write(file: string, text: string): void {
    const path = join(this.#folder, file)
    writeFileSync(path, text)
    this.#contract.changed(path)
  }

  /** What the compiler says of the source as it is now. */
  async complaints(): Promise<ReadonlyArray<string>> {
    const compiler = join(this.#folder, "node_modules", "typescript", "bin", "tsc")
    const { stdout } = await this.#spawn([compiler, "-p", "tsconfig.build.json", "--noEmit"], longestCheckMs)
    return stdout.split("\n").filter((line) => line.includes("error TS"))
  }

  /** Compiles the source to the copy's dist, which workers and processes of the tests run. */
  async build(): Promise<void> {
    await this.#spawn([join("scripts", "build.mjs")], longestCheckMs)
  }

  /** Runs one check; its first failure ends it. */
  check(check: Check): Promise<Judgement> {
    return check === contract ? this.#contract.judge() : this.run([check], true)
  }

  /** Runs checks in one go of vitest, the first failure of which ends it where `bail` is said. */
  async run(checks: ReadonlyArray<Check>, bail: boolean): Promise<Judgement> {
    const output = join(this.#folder, "mutant-report.json")
    rmSync(output, { force: true })
    const [first] = checks
    const args = [
      join(this.#folder, "node_modules", "vitest", "vitest.mjs"),
      "run",
      `--reporter=${reporter}`,
      "--testTimeout=10000",
      ...(bail ? ["--bail=1"] : []),
      ...(checks.length === 1 && first?.name !== undefined ? ["-t", first.name] : []),
      ...checks.map((check) => check.file),
    ]
    const { code, isLate } = await this.#spawn(args, longestCheckMs * (bail ? 1 : 4), output)
    if (isLate)
      return { _tag: "timed out", by: checks.map((check) => check.file).join(", "), why: "the run never came back" }
    return judge(existsSync(output) ? (JSON.parse(readFileSync(output, "utf8")) as Report) : undefined, code)
  }

  #spawn(args: ReadonlyArray<string>, ms: number, report = ""): Promise<Ended> {
    return new Promise((resolve) => {
      const env = { ...testEnvironment(), HANDRAIL_MUTANT_REPORT: report }
      // A group of its own: what a test has started must end with it.
      const child = spawn(process.execPath, args, {
        cwd: this.#folder,
        env,
        stdio: ["ignore", "pipe", "ignore"],
        detached: true,
      })
      let isLate = false
      let stdout = ""
      child.stdout.on("data", (chunk) => {
        stdout += chunk
      })
      this.#kill = () => {
        if (child.pid !== undefined) killGroup(child.pid)
      }
      const timer = setTimeout(() => {
        isLate = true
        this.#kill?.()
      }, ms)
      child.on("exit", (code) => {
        clearTimeout(timer)
        this.#kill?.()
        this.#kill = undefined
        child.on("close", () => resolve({ code, isLate, stdout }))
      })
    })
  }

  remove(): void {
    this.#kill?.()
    this.#contract.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #linkPackages(): void {
    const from = join(this.#root, "node_modules")
    const to = join(this.#folder, "node_modules")
    mkdirSync(to)
    for (const name of readdirSync(from)) if (!name.startsWith(".vite")) symlinkSync(join(from, name), join(to, name))
  }

  /** A guard that is gone may leave a name unused; that is not what is asked here. */
  #loosenTypes(): void {
    const file = join(this.#folder, "tsconfig.build.json")
    const settings = JSON.parse(readFileSync(file, "utf8")) as { compilerOptions: Record<string, unknown> }
    Object.assign(settings.compilerOptions, { noUnusedLocals: false, noUnusedParameters: false })
    writeFileSync(file, JSON.stringify(settings))
  }
}

const copyFiles = (root: string, folder: string): void => {
  for (const file of filesOf(root)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    copyFileSync(join(root, file), join(folder, file))
  }
}

const unpackHead = (root: string, folder: string): void => {
  const archive = spawnSync("git", ["archive", "--format=tar", "HEAD"], { cwd: root, maxBuffer: 256 * 1024 * 1024 })
  const unpacked = spawnSync("tar", ["-x", "-C", folder], { input: archive.stdout })
  if (archive.status !== 0 || unpacked.status !== 0) throw new Error("the last commit can't be unpacked")
}

const filesOf = (root: string): ReadonlyArray<string> => {
  const { status, stdout, stderr } = spawnSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  )
  if (status !== 0) throw new Error(`git can't list the files: ${stderr}`)
  return stdout.split("\0").filter((file) => file !== "" && existsSync(join(root, file)))
}

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // All of it has ended.
  }
}
