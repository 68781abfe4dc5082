import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { changeId, repositoryKey } from "../../examples/pr-review/source.ts"
import { compile } from "../../src/definition/index.ts"

const governance = new URL("../../examples/pr-review/governance/", import.meta.url)
const read = (path: string) => parse(readFileSync(new URL(path, governance), "utf8"))
const workflow = read("workflow.yaml")
const roles: string[] = workflow.roles.map(({ name }: { name: string }) => name)
const contractsOf = (role: string): string[] =>
  readdirSync(new URL(`${role}/`, governance)).filter((name) => name !== "session.yaml")

describe("the governance of the example", () => {
  it("compiles without an error or a warning", () => {
    const text = (path: string) => readFileSync(new URL(path, governance), "utf8")
    const paths = roles.flatMap((role) => readdirSync(new URL(`${role}/`, governance)).map((name) => `${role}/${name}`))
    const files = Object.fromEntries(paths.map((path) => [path, text(path)]))
    const result = compile({ file: "workflow.yaml", text: text("workflow.yaml"), files })
    expect(result).toMatchObject({ ok: true, warnings: [] })
  })

  it("has a session.yaml for every role", () => {
    for (const role of workflow.roles) expect(read(role.session_contract).agent).toBe(role.name)
  })

  it("has no contract whose tool has another name, or binds a resource that is not declared", () => {
    const declared = workflow.resources.map(({ name }: { name: string }) => name)
    const bound = new Set<string>()
    for (const role of roles) {
      for (const file of contractsOf(role)) {
        const contract = read(`${role}/${file}`)
        expect(`${contract.tool}.yaml`).toBe(file)
        for (const { name } of contract.resources ?? []) bound.add(name)
      }
    }
    expect([...bound].sort()).toEqual([...declared].sort())
  })

  it("advances only along transitions that the session has, from phases that it has", () => {
    for (const role of roles) {
      const { phases, transitions } = read(`${role}/session.yaml`)
      const names = phases.map(({ name }: { name: string }) => name)
      for (const file of contractsOf(role)) {
        const { valid_in_phases: from = [], advances_to: to } = read(`${role}/${file}`).transitions ?? {}
        expect(names).toEqual(expect.arrayContaining(from))
        if (to !== undefined) for (const phase of from) expect(transitions[phase]).toContain(to)
      }
    }
  })

  it("accepts the ids that the example makes", () => {
    const pattern = new RegExp(workflow.handoffs[0].summary_schema.properties.change.pattern)
    expect(changeId("x")).toMatch(pattern)
    expect(repositoryKey("x").length).toBeLessThanOrEqual(128)
  })
})
