/**
 * The peers: what a user would pick instead, measured on the same server in the same run. They are a package of their own
 * (`bench/peers`) that the main install does not pull, and run in a process of their own, so that neither their code nor their
 * timers share an event loop with what is measured beside them.
 */
import { type ChildProcess, fork, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Sample } from "./measure.ts"
import type { PeerReply, PeerRequest } from "./peerProtocol.ts"

export interface Peers {
  /** One at a time. */
  measure(request: PeerRequest): Promise<Sample>
  close(): Promise<void>
}

const folder = fileURLToPath(new URL("peers", import.meta.url))
/** An answer that takes this much longer than the slice does not come any more: installing a peer takes seconds. */
const patienceMs = 120_000

/** Undefined when they are ready to run, else why not. Installs what is missing, which needs the registry. */
export function installPeers(say: (text: string) => void): string | undefined {
  if (isInstalled()) return undefined
  say("installing the peers (npm ci in bench/peers, some 40 MB; the main install does without them)")
  const { status, stdout, stderr, error } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  })
  if (status === 0) return undefined
  const said = `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`.trim()
  return `the peers could not be installed; try \`npm --prefix bench/peers ci\`, or leave out --peers:\n${said}`
}

/** Their names and versions, as they are asked for. */
export function peerVersions(): Readonly<Record<string, string>> {
  return read<{ dependencies: Record<string, string> }>("package.json").dependencies
}

export async function startPeers(): Promise<Peers> {
  const child = fork(join(folder, "main.ts"), {
    // The loader of TypeScript that this process was started with; what pg deprecates is between it and the peers.
    execArgv: [...process.execArgv, "--no-deprecation"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  })
  return {
    measure: (request) => ask(child, request),
    close: () => end(child),
  }
}

function ask(child: ChildProcess, request: PeerRequest): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      clearTimeout(timer)
      child.off("message", answered)
      child.off("exit", ended)
      then()
    }
    const fail = (why: string): void => settle(() => reject(new Error(`${request.peer}: ${why}`)))
    const answered = (reply: PeerReply): void =>
      "sample" in reply ? settle(() => resolve(reply.sample)) : fail(reply.error)
    const ended = (code: number | null): void => fail(`its process ended (${code ?? "killed"})`)
    const timer = setTimeout(() => fail("did not answer"), request.seconds * 1000 + patienceMs)
    child.on("message", answered)
    child.on("exit", ended)
    if (!child.connected) return fail("its process has ended")
    child.send(request)
  })
}

/** Killed rather than asked: nothing in it is wanted any more. */
function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })
}

/** What the lockfile asks for, against what npm wrote down as installed. */
function isInstalled(): boolean {
  if (!existsSync(join(folder, "node_modules", ".package-lock.json"))) return false
  const wanted = read<Lockfile>("package-lock.json").packages
  const installed = read<Lockfile>(join("node_modules", ".package-lock.json")).packages
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    return path === "" || optional === true || installed[path]?.version === version
  })
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>
}

function read<A>(file: string): A {
  return JSON.parse(readFileSync(join(folder, file), "utf8"))
}
