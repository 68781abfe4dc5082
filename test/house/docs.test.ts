/** What the documentation shows compiles and runs; and a block that does neither is shown to be found. */
import { afterAll, describe, expect, test } from "vitest"
import { blocksIn, documents, layOut, runFault, typeFaults } from "./docs.ts"

const limitMs = 20_000

describe("the documentation", () => {
  const blocks = [...documents()].flatMap(([path, text]) => blocksIn(path, text))
  const { folder, remove } = layOut(blocks)
  afterAll(remove)

  test("gives a reason where a block is not run", () => {
    expect(blocks.filter(({ noRun }) => noRun === "").map(({ place }) => place)).toEqual([])
  })

  test("shows code that compiles", () => {
    expect(typeFaults(folder, blocks)).toEqual([])
  })

  const runs = blocks.filter(({ noRun }) => noRun === undefined)
  for (const block of runs) {
    const needsPostgres = block.code.includes("DATABASE_URL")
    // Left out only where HANDRAIL_TEST_STORES says so.
    test.skipIf(needsPostgres && process.env.HANDRAIL_TEST_POSTGRES === undefined)(
      `shows code that runs: ${block.place}`,
      { timeout: limitMs + 10_000 },
      async () => {
        expect(await runFault(folder, block, limitMs)).toBeUndefined()
      },
    )
  }
})

describe("a block that is wrong is found", () => {
  const document = [
    "# Title",
    "```ts",
    `import assert from "node:assert/strict"`,
    "const [first] = [1]",
    "assert.equal(first, 1)",
    "```",
    "```ts no-run needs a server",
    `const port: number = "eighty"`,
    "```",
    "- a list",
    "  ```typescript",
    `  throw new Error("it broke")`,
    "  ```",
    "````md",
    "```ts",
    "not a block of this document",
    "```",
    "````",
    "```sh",
    "npm test",
    "```",
    "```ts",
    "setInterval(() => {}, 1000)",
    "```",
    "```ts no-run",
    "```",
  ].join("\n")
  const blocks = blocksIn("docs/guide.md", document)
  const { folder, remove } = layOut(blocks)
  afterAll(remove)

  test("blocks are found where they are, other languages are not", () => {
    expect(blocks.map(({ place, noRun }) => [place, noRun])).toEqual([
      ["docs/guide.md:2", undefined],
      ["docs/guide.md:7", "needs a server"],
      ["docs/guide.md:11", undefined],
      ["docs/guide.md:22", undefined],
      ["docs/guide.md:25", ""],
    ])
  })

  test("by the compiler, which names the line of the document", () => {
    const faults = typeFaults(folder, blocks)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(/^docs\/guide\.md\(8,7\): error TS2322/)
  })

  test("by running it", async () => {
    const [good, , broken, endless] = blocks
    if (good === undefined || broken === undefined || endless === undefined) throw new Error("blocks are missing")
    expect(await runFault(folder, good, limitMs)).toBeUndefined()
    expect(await runFault(folder, broken, limitMs)).toMatch(/guide\.md:11 ended with 1:[\s\S]*it broke/)
    expect(await runFault(folder, endless, 2000)).toMatch(/guide\.md:22 did not end within 2000 ms/)
  })
})
