/** The rules of the examples compile without a mistake and without a warning. */
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { compile } from "../../src/definition/index.ts"

const examples = new URL("../../examples/", import.meta.url)

describe("the governance of", () => {
  test.each(["handoff-openai", "refund-bot", "deploy-approval", "swarm"])("%s compiles", (name) => {
    const folder = new URL(`${name}/governance/`, examples)
    const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".yaml"))
    const files = Object.fromEntries(paths.map((path) => [path, readFileSync(new URL(path, folder), "utf8")]))
    const { "workflow.yaml": text = "", ...contracts } = files
    expect(compile({ file: "workflow.yaml", text, files: contracts })).toMatchObject({ ok: true, warnings: [] })
  })
})
