/**
 * The TypeScript in the documentation: found, laid out as files, checked by the compiler and run.
 *
 * A block stands at the same line in its file as in its document, so that what the compiler and the runtime say about a
 * block names the place to look at. Blocks live inside the repository while they are checked, where `handrail` means
 * this package itself.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "./package.ts"

export interface Block {
  /** `README.md:12`, the line of the opening fence. */
  readonly place: string
  /** The name of its file while it is checked. */
  readonly file: string
  readonly code: string
  /** Why it is not run; it is type-checked all the same. */
  readonly noRun: string | undefined
}

/** README.md and everything in docs, as path → text. */
export const documents = (): ReadonlyMap<string, string> => {
  const inDocs = existsSync(join(root, "docs"))
    ? readdirSync(join(root, "docs"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    : []
  const paths = ["README.md", ...inDocs.toSorted()].filter((path) => existsSync(join(root, path)))
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]))
}

/** Every fenced block whose language is ts or typescript; other languages, `sh` among them, are not ours to run. */
export const blocksIn = (path: string, text: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  const lines = text.split("\n")
  let open:
    | { readonly fence: string; readonly indent: string; readonly info: string; readonly line: number }
    | undefined
  lines.forEach((line, index) => {
    const [, indent = "", fence = "", info = ""] = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(line) ?? []
    if (open === undefined) {
      if (fence !== "") open = { fence, indent, info: info.trim(), line: index + 1 }
      return
    }
    if (!fence.startsWith(open.fence) || info.trim() !== "") return
    const block = blockOf(path, open.info, open.line, lines.slice(open.line, index), open.indent)
    if (block !== undefined) blocks.push(block)
    open = undefined
  })
  return blocks
}

const blockOf = (
  path: string,
  info: string,
  line: number,
  lines: ReadonlyArray<string>,
  indent: string,
): Block | undefined => {
  const [language = "", ...words] = info.split(/\s+/)
  if (language !== "ts" && language !== "typescript") return undefined
  const noRun = words[0] === "no-run" ? words.slice(1).join(" ") : undefined
  const code = lines.map((text) => (text.startsWith(indent) ? text.slice(indent.length) : text))
  const name = path.replace(/\.md$/, "").replaceAll(/[^A-Za-z0-9]+/g, "-")
  return {
    place: `${path}:${line}`,
    file: `${name}.L${line}.ts`,
    // `export {}` makes a module of a block without imports, so that blocks do not see each other's names.
    code: `export {}${"\n".repeat(line)}${code.join("\n")}\n`,
    noRun,
  }
}

/** Writes the blocks to a folder inside the repository; `remove` takes it away again. */
export const layOut = (blocks: ReadonlyArray<Block>) => {
  const parent = join(root, ".docs-check")
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, "run-"))
  for (const { file, code } of blocks) writeFileSync(join(folder, file), code)
  // A block may name things for the reader that it does not use again.
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  const include = ["*.ts"]
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include }),
  )
  const remove = () => {
    rmSync(folder, { recursive: true, force: true })
    if (readdirSync(parent).length === 0) rmSync(parent, { recursive: true, force: true })
  }
  return { folder, remove }
}

/** What the compiler says about the blocks, each line with the place in the document; all of them are one program. */
export const typeFaults = (folder: string, blocks: ReadonlyArray<Block>): ReadonlyArray<string> => {
  if (blocks.length === 0) return []
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const run = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], { cwd: folder, encoding: "utf8" })
  if (run.status === 0) return []
  return `${run.stdout}${run.stderr}`
    .trim()
    .split("\n")
    .map((line) => blocks.reduce((said, { file, place }) => said.replace(file, place.replace(/:\d+$/, "")), line))
}

/** Runs one block with tsx in an empty folder of its own; `undefined` when it ends well. */
export const runFault = async (
  folder: string,
  { file, place }: Block,
  limitMs: number,
): Promise<string | undefined> => {
  const cwd = mkdtempSync(join(tmpdir(), "handrail-docs-"))
  // As a loader, not as its command: that starts a second process, which would outlive a killed first one.
  const tsx = pathToFileURL(join(root, "node_modules", "tsx", "dist", "loader.mjs")).href
  const child = spawn(process.execPath, ["--import", tsx, join(folder, file)], {
    cwd,
    // What a page says of Postgres runs on the one of the tests.
    env: { ...process.env, DATABASE_URL: process.env.HANDRAIL_TEST_POSTGRES },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString()
  })
  let isLate = false
  const limit = setTimeout(() => {
    isLate = true
    child.kill("SIGTERM")
    setTimeout(() => child.kill("SIGKILL"), 1000).unref()
  }, limitMs)
  const code = await new Promise<number | null>((ended) => child.on("close", ended))
  clearTimeout(limit)
  rmSync(cwd, { recursive: true, force: true })
  if (isLate) return `${place} did not end within ${limitMs} ms:\n${output}`
  return code === 0 ? undefined : `${place} ended with ${code}:\n${output}`
}
