/** docs/cli.md shows what the commands really print: every `console` block is carried out, in order, on one store. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test, vi } from "vitest"
import { commands } from "../../src/cli/commands.ts"
import { root } from "../house/package.ts"
import { directoryOf, here, seed } from "./command.ts"

vi.setConfig({ testTimeout: 120_000 })

const page = readFileSync(join(root, "docs/cli.md"), "utf8")

interface Shown {
  readonly args: ReadonlyArray<string>
  readonly output: string
}

const shown = (): ReadonlyArray<Shown> =>
  [...page.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = ""]) =>
    block.split(/^\$ handrail /m).flatMap((part) => {
      const end = part.indexOf("\n")
      if (end <= 0) return []
      const words = part.slice(0, end).match(/"[^"]*"|\S+/g) ?? []
      return [{ args: words.map((word) => word.replace(/^"|"$/g, "")), output: part.slice(end + 1) }]
    }),
  )

/** What is different each time: moments, spans, ids, sizes, and the blanks that a column has for them. */
const same = (text: string): string =>
  text
    .replace(/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "MOMENT")
    .replace(/\b\d\d:\d\d:\d\d\.\d{3}\b/g, "CLOCK")
    .replace(/\b(st|k)_[0-9a-z]{20,}/g, "$1_ID")
    .replace(/\b(now\b|(in )?(\d+(ms|[dhms]))+( ago)?)/g, "SPAN")
    .replace(/Node \S+|SQLite \d\S*,|[\d.]+ [MG]iB/g, "FIGURE")
    .replace(/\S*(handrail\.db|wf-1\.jsonl)/g, "$1")
    .replace(/ +/g, " ")
    .trim()

test("docs/cli.md shows what is printed", async () => {
  const cwd = directoryOf({})
  const store = `sqlite:${join(cwd, "handrail.db")}`
  const { stepId } = await seed(store)
  const placed = (word: string): string => {
    if (word.startsWith("st_")) return stepId
    const [, scheme = "", name] = /^(sqlite:)?(other\.db|wf-1\.jsonl)$/.exec(word) ?? []
    return name === undefined ? word : scheme + join(cwd, name)
  }
  const all = shown()
  expect(all.length).toBeGreaterThan(10)
  for (const { args, output } of all) {
    const acts = ["withdraw", "raise", "kill", "resolve"].some((word) => args.includes(word))
    const operator = acts ? ["--operator", "dana"] : []
    const { out, err } = await here([...args.map(placed), ...operator], { env: { HANDRAIL_STORE: store } })
    expect(same(out + err), `handrail ${args.join(" ")}`).toBe(same(output))
  }
})

test("docs/cli.md names every command", () => {
  const unnamed = commands.map(({ name }) => name).filter((name) => !new RegExp(`\\b${name}\\b`).test(page))
  expect(unnamed).toEqual([])
})
