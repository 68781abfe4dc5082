/**
 * Makes a fresh clone ready to run: dependencies installed, the native SQLite addon loading, dist built.
 *
 * Every npm script that runs something starts with it, so "clone and run" is the whole set-up. It depends on nothing
 * but Node, prints nothing when there is nothing to do, and says in one message what is missing when it cannot help.
 * Exits with 1 when the machine is not ready, and with 2 when only src does not compile.
 */
import { spawnSync } from "node:child_process"
import { accessSync, constants, existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const require = createRequire(import.meta.url)
const oldestNode = [20, 19]
const buildTools = ["python3", "make", "g++"]

const say = (text) => console.error(`setup: ${text}`)
const stop = (text) => {
  say(text)
  process.exit(1)
}

const checkNode = () => {
  const [major, minor] = process.versions.node.split(".").map(Number)
  const recent = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])
  if (!recent) stop(`Node ${oldestNode.join(".")} or later is needed, this is ${process.versions.node}.`)
}

/**
 * Compares what the lockfile asks for with what npm wrote down as installed. Contents, not times: `git checkout` makes
 * any file newer, and a needless `npm ci` takes node_modules away from whatever is running on it.
 */
const isInstalled = () => {
  const installedFile = join(root, "node_modules", ".package-lock.json")
  if (!existsSync(installedFile)) return false
  const wanted = readJson(join(root, "package-lock.json")).packages
  const installed = readJson(installedFile).packages
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === "") return true
    const found = installed[path]
    return found === undefined ? optional === true || devOptional === true : found.version === version
  })
}

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"))

/** Runs npm quietly; its words are only of interest when it fails. */
const npm = (args, env = {}) => {
  const run = spawnSync("npm", args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32",
    stdio: ["ignore", "pipe", "pipe"],
  })
  return { ok: run.status === 0, output: `${run.stdout ?? ""}${run.stderr ?? ""}${run.error?.message ?? ""}`.trim() }
}

/**
 * In two steps, because they fail for different reasons: without its scripts `npm ci` needs only the registry, and what
 * the scripts compile can be tried again without fetching everything anew.
 */
const install = () => {
  say("installing dependencies (npm ci)")
  const fetched = npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
  if (!fetched.ok) stop(`npm ci failed:\n${fetched.output}`)
  // The binary of esbuild works without its script, only slower to start; that may fail.
  npm(["rebuild", "esbuild"])
}

/** `undefined` when the addon loads and opens a database, else why it does not. Never loads a file it will replace. */
const addonFault = () => {
  const script = `new (require("better-sqlite3"))(":memory:").close()`
  const run = spawnSync(process.execPath, ["-e", script], { cwd: root, encoding: "utf8" })
  return run.status === 0 ? undefined : run.stderr.trim() || `exit ${run.status ?? run.signal}`
}

const addonLoads = () => {
  try {
    const Database = require("better-sqlite3")
    new Database(":memory:").close()
    return true
  } catch {
    return false
  }
}

const compileAddon = () => {
  say("preparing better-sqlite3 (fetched where a prebuilt one exists, else compiled: about a minute)")
  const first = rebuild()
  if (first === undefined) return
  const missing = buildTools.filter((tool) => !onPath(tool))
  if (missing.length === 0) stop(`better-sqlite3 does not build:\n${first}`)
  const byApt = process.getuid?.() === 0 && existsSync("/etc/debian_version") && onPath("apt-get")
  if (!byApt) {
    stop(
      `better-sqlite3 has to be compiled, which needs ${missing.join(", ")}. Install what is missing and try again: ` +
        "`apt-get install python3 make g++` on Debian or Ubuntu, `dnf install python3 make gcc-c++` on Fedora, " +
        "`apk add python3 make g++` on Alpine, `xcode-select --install` on macOS.",
    )
  }
  say(`installing the compiler (apt-get install ${buildTools.join(" ")})`)
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  const apt = (args) => spawnSync("apt-get", args, { encoding: "utf8", env, stdio: ["ignore", "pipe", "pipe"] })
  apt(["update"])
  const installed = apt(["install", "-y", "--no-install-recommends", ...buildTools])
  if (installed.status !== 0) stop(`apt-get could not install ${buildTools.join(" ")}:\n${installed.stderr}`)
  say("compiling better-sqlite3 (about a minute)")
  const second = rebuild()
  if (second !== undefined) stop(`better-sqlite3 does not build:\n${second}`)
}

/** `undefined` when the addon works afterwards. Node's own headers spare a download where the machine has them. */
const rebuild = () => {
  const prefix = dirname(dirname(process.execPath))
  const headers = existsSync(join(prefix, "include", "node", "node.h"))
  const env = headers ? { npm_package_config_node_gyp_nodedir: prefix } : {}
  const { ok, output } = npm(["rebuild", "better-sqlite3"], env)
  return ok ? addonFault() : output
}

const onPath = (command) =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

checkNode()
if (!isInstalled()) install()
if (!addonLoads()) compileAddon()

const { build } = await import("./build.mjs")
const { ok, output } = build()
if (!ok) {
  say(`src does not compile:\n${output}`)
  process.exitCode = 2
}
