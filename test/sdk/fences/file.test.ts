/** Fencing of a file: real files, and writers that are processes of their own, stopped and killed in the middle. */
import { type ChildProcess, spawn } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { expect, onTestFinished, test } from "vitest"
import { FenceError, replaceFile, StaleFenceError } from "../../../src/fences.ts"
import { root } from "../../house/package.ts"
import { arrivals, fence, landed, landing, runs } from "./fixtures.ts"

const inFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-file-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const writer = (file: string, token: number, times: number) => {
  const script = join(root, "test/sdk/fences/fileWriter.mjs")
  const child = spawn(process.execPath, [script, file, `${token}`, `${times}`], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  onTestFinished(() => {
    child.kill("SIGKILL")
  })
  let said = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk
  })
  const ended = new Promise<ReadonlyArray<string>>((resolve) =>
    child.on("close", () => resolve(said.trim().split("\n"))),
  )
  return { child, ended }
}

/** Once it says the word, or anything; or has ended. */
const spoke = (child: ChildProcess, word = ""): Promise<void> =>
  new Promise((resolve) => {
    child.stdout?.on("data", (chunk: string) => {
      if (chunk.includes(word)) resolve()
    })
    child.once("close", () => resolve())
  })

test("one after another, exactly the writes land whose token is not older than all before", async () => {
  const folder = inFolder()
  let round = 0
  await fc.assert(
    fc.asyncProperty(arrivals, async (tokens) => {
      round += 1
      const file = join(folder, `${round}`)
      const found: Array<boolean> = []
      for (const token of tokens) found.push(await landed(() => replaceFile(file, `${token}`, fence(token))))
      expect(found).toEqual(landing(tokens))
      expect(readFileSync(file, "utf8")).toBe(`${Math.max(...tokens)}`)
      // Nothing piles up: the resource, and the newest mark.
      expect(readdirSync(`${file}.fence`)).toEqual(["resource", `token-${Math.max(...tokens)}`])
    }),
    runs(20),
  )
})

test("processes, stopped in the middle and let go after newer ones have written, are refused", async () => {
  const file = join(inFolder(), "config")
  const older = [1, 2, 3].map((token) => writer(file, token, 10_000))
  await Promise.all(older.map(({ child }) => spoke(child)))
  for (const { child } of older) child.kill("SIGSTOP")
  const newest = await writer(file, 4, 3).ended
  expect(newest).toEqual(["landed", "landed", "landed"])
  const whole = "4\n".repeat(20_000)
  expect(readFileSync(file, "utf8")).toBe(whole)
  // Before that it may still say what it did before it was stopped.
  const after = older.map(({ child }) => spoke(child, "stale"))
  for (const { child } of older) child.kill("SIGCONT")
  await Promise.all(after)
  for (const { child } of older) child.kill("SIGKILL")
  for (const { ended } of older) {
    const said = await ended
    expect(said.slice(said.indexOf("stale")).filter((line) => line === "landed")).toEqual([])
  }
  expect(readFileSync(file, "utf8")).toBe(whole)
})

test("processes that are killed in the middle leave a whole file, and the next writer writes", async () => {
  const file = join(inFolder(), "config")
  for (const token of [1, 2, 3]) {
    const { child, ended } = writer(file, token, 10_000)
    await spoke(child)
    child.kill("SIGKILL")
    await ended
    expect(readFileSync(file, "utf8")).toBe(`${token}\n`.repeat(20_000))
  }
  await replaceFile(file, "done", fence(4))
  expect(readFileSync(file, "utf8")).toBe("done")
  expect(readdirSync(`${file}.fence`)).toEqual(["resource", "token-4"])
})

test("permissions stay, a link is followed, and bytes are written as they are", async () => {
  const folder = inFolder()
  const file = join(folder, "real")
  writeFileSync(file, "old")
  chmodSync(file, 0o640)
  symlinkSync(file, join(folder, "link"))
  await replaceFile(join(folder, "link"), new Uint8Array([0, 255]), fence(1))
  expect([...readFileSync(file)]).toEqual([0, 255])
  expect(statSync(file).mode & 0o777).toBe(0o640)
  await expect(replaceFile(file, "late", { ...fence(1), token: 0 })).rejects.toBeInstanceOf(FenceError)
  await replaceFile(join(folder, "new"), "secret", fence(1), { mode: 0o600 })
  expect(statSync(join(folder, "new")).mode & 0o777).toBe(0o600)
})

test("a token of another resource says nothing about the file", async () => {
  const file = join(inFolder(), "config")
  await replaceFile(file, "prod", fence(1))
  await expect(replaceFile(file, "test", fence(9, "test"))).rejects.toMatchObject({ code: "invalid" })
  expect(readFileSync(file, "utf8")).toBe("prod")
})

test("where the write fails, nothing of it stays", async () => {
  const folder = inFolder()
  await expect(replaceFile(join(folder, "none", "config"), "x", fence(1))).rejects.toMatchObject({ code: "ENOENT" })
  // A directory can't be replaced by a file.
  await expect(replaceFile(folder, "x", fence(1))).rejects.not.toBeInstanceOf(StaleFenceError)
  onTestFinished(() => rmSync(`${folder}.fence`, { recursive: true, force: true }))
  expect(existsSync(folder)).toBe(true)
  expect(readdirSync(`${folder}.fence`)).toEqual(["resource", "token-1"])
})
