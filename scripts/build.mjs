/**
 * Compiles src to dist, and does nothing when dist already stands for what src says.
 *
 * The compiler writes to a folder of its own; then only the files that changed are renamed into dist, one at a time. So
 * a process that is reading dist never sees half a file, two builds at once do no harm, and what src no longer has
 * leaves dist. The stamp is written last, and only by a build without errors.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const dist = join(root, "dist")
const stampFile = join(dist, ".stamp")
const settings = ["tsconfig.json", "tsconfig.build.json", "node_modules/typescript/package.json"]

/** What a build depends on, as a hash of names, sizes and modification times: 1 ms, and a changed source changes it. */
const fingerprint = () => {
  const hash = createHash("sha256")
  for (const file of [...settings, ...filesUnder(join(root, "src")).map((name) => join("src", name))]) {
    const stat = statSync(join(root, file))
    hash.update(`${file}\0${stat.size}\0${stat.mtimeMs}\n`)
  }
  return hash.digest("hex")
}

/**
 * @returns {{ ok: boolean, built: boolean, output: string }} `output` is what the compiler said; when `ok` is false,
 * dist still holds what it could emit.
 */
export const build = () => {
  const wanted = fingerprint()
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted) return { ok: true, built: false, output: "" }
  // A sibling of dist, so that the relative paths inside source maps stay true after the move.
  const fresh = join(root, `.build-${process.pid}`)
  rmSync(fresh, { recursive: true, force: true })
  try {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
    const args = [tsc, "-p", "tsconfig.build.json", "--outDir", fresh]
    const run = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" })
    const output = `${run.stdout ?? ""}${run.stderr ?? ""}`.trim()
    if (existsSync(fresh)) publish(fresh)
    const ok = run.status === 0
    if (ok) writeFileSync(stampFile, wanted)
    else rmSync(stampFile, { force: true })
    return { ok, built: true, output }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

const publish = (fresh) => {
  const names = filesUnder(fresh)
  for (const name of names) {
    const from = join(fresh, name)
    const to = join(dist, name)
    if (existsSync(to) && readFileSync(to).equals(readFileSync(from))) continue
    mkdirSync(dirname(to), { recursive: true })
    renameSync(from, to)
  }
  const current = new Set(names)
  for (const name of filesUnder(dist)) {
    if (!current.has(name) && name !== ".stamp") rmSync(join(dist, name), { force: true })
  }
}

const filesUnder = (folder) =>
  !existsSync(folder)
    ? []
    : readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
        .sort()

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const { ok, output } = build()
  if (output !== "") console.error(output)
  process.exitCode = ok ? 0 : 1
}
