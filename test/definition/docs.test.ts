import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { compile, formatDiagnostics, severities } from "../../src/definition/index.ts"

const page = readFileSync(new URL("../../docs/definitions.md", import.meta.url), "utf8")

describe("docs/definitions.md", () => {
  it("has an example that compiles without a warning", () => {
    const files = new Map(
      [...page.matchAll(/^```yaml file=(\S+)\n(.*?)^```$/gms)].map(([, path = "", text = ""]) => [path, text]),
    )
    expect(files.size).toBe(5)
    const result = compile({ file: "workflow.yaml", text: files.get("workflow.yaml") ?? "", files })
    expect(formatDiagnostics(result.ok ? result.warnings : result.diagnostics)).toBe("")
    expect(result.ok && result.artifact.definition.roles[1]?.tools.map((tool) => tool.tool)).toEqual([
      "deploy",
      "run_tests",
    ])
  })
  it("lists every diagnostic code under its severity, and no other", () => {
    const section = page.slice(page.indexOf("## Diagnostic codes"))
    const listed = (text: string) => [...text.matchAll(/`([a-z_]+)`/g)].map((match) => match[1]).sort()
    const [errors = "", warnings = ""] = section.split("\nWarnings:")
    const codesOf = (severity: string) =>
      Object.entries(severities)
        .filter((entry) => entry[1] === severity)
        .map(([code]) => code)
        .sort()
    expect(listed(errors)).toEqual(codesOf("error"))
    expect(listed(warnings)).toEqual(codesOf("warning"))
  })
})
