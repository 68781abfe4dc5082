/** Runs the real `handrail` command, as a process of its own, and writes the files that it is given. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { onTestFinished } from "vitest"
import { root } from "../house/package.ts"

export const main = join(root, "dist", "cli", "main.js")

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface How {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** For node itself, before the script. */
  readonly node?: ReadonlyArray<string>
}

export const handrail = (args: ReadonlyArray<string>, { cwd = root, env = {}, node = [] }: How = {}): Ran => {
  const { NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [...node, main, ...args], {
    cwd,
    encoding: "utf8",
    env: { ...inherited, ...env },
    timeout: 60_000,
  })
  return { code: status, out: stdout, err: stderr }
}

/** A directory with these files, gone when the test has finished. */
export const directoryOf = (files: Readonly<Record<string, string>>): string => {
  const directory = mkdtempSync(join(tmpdir(), "handrail-cli-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  return directory
}

/** Nothing about it is dangerous. */
export const saneYaml = `schema_version: "1.0"
workflow: team
roles: [{ name: lead, root: true, default_cost: 0.01 }, { name: dev, default_cost: 0.02 }]
handoffs: [{ from: lead, to: dev, claim_timeout: 1m, offer_timeout: 5m, max_attempts: 3 }]
resources: [{ name: env, mode: exclusive_pending, unresolved: release, pending_timeout: 30s }]
limits: { max_sessions: 20, max_steps: 60, max_cost: 10.00, max_duration: 2h }
`
/** A dead holder keeps `env` for ever. */
export const dangerousYaml = saneYaml.replace(", unresolved: release, pending_timeout: 30s", "")
/** The compiler warns of a role that nothing leads to. */
export const warnedYaml = saneYaml.replace("default_cost: 0.02 }]", "default_cost: 0.02 }, { name: idle }]")
/** Roles are no list, and a key is misspelt. */
export const brokenYaml = `schema_version: "1.0"
workflow: team
roles: lead
limts: { max_steps: 3 }
`
