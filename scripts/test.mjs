/**
 * The one command that verifies: set-up, format and lint, types, then every test (layers and package among them).
 *
 * Its last line is always `N passed, N failed`, where each of the two static checks counts as one; it exits non-zero
 * when anything failed. All stages run even if an early one fails, so one run shows everything that is wrong.
 * Arguments go to vitest: `npm test -- test/machines`.
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const local = (...path) => join(root, "node_modules", ...path)
const totals = { passed: 0, failed: 0, skipped: 0 }

const checks = [
  { name: "format and lint", args: [local("@biomejs", "biome", "bin", "biome"), "check", "--error-on-warnings"] },
  { name: "types", args: [local("typescript", "bin", "tsc"), "-p", "tsconfig.json"] },
]

const runCheck = ({ name, args }) =>
  new Promise((done) => {
    const started = performance.now()
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk) => {
      output += chunk
    })
    child.stderr.on("data", (chunk) => {
      output += chunk
    })
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`)
      if (code !== 0) console.log(output.trim())
      totals[code === 0 ? "passed" : "failed"] += 1
      done()
    })
  })

const runTests = (filters) => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-test-"))
  const countsFile = join(folder, "counts.json")
  const reporters = ["--reporter=default", `--reporter=${join(root, "scripts", "counts-reporter.mjs")}`]
  const run = spawnSync(process.execPath, [local("vitest", "vitest.mjs"), "run", ...reporters, ...filters], {
    cwd: root,
    env: { ...process.env, HANDRAIL_COUNTS: countsFile },
    stdio: ["ignore", "inherit", "inherit"],
  })
  const counts = readCounts(countsFile)
  rmSync(folder, { recursive: true, force: true })
  totals.passed += counts.passed
  totals.skipped += counts.skipped
  // A runner that died, or failed for a reason that no test shows, is a failure of its own.
  totals.failed += run.status !== 0 && counts.failed === 0 ? 1 : counts.failed
}

const readCounts = (file) => {
  try {
    return JSON.parse(readFileSync(file, "utf8"))
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
}

const setup = spawnSync(process.execPath, [join(root, "scripts", "setup.mjs")], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
})
// With exit code 2 only the compiler complained: the type check below says it again, and counts it.
if (setup.status === 0 || setup.status === 2) {
  await Promise.all(checks.map(runCheck))
  runTests(process.argv.slice(2))
} else {
  totals.failed += 1
}

if (totals.skipped > 0) console.log(`${totals.skipped} skipped`)
console.log(`${totals.passed} passed, ${totals.failed} failed`)
process.exitCode = totals.failed > 0 ? 1 : 0
