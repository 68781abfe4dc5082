/** Whatever the text: the compiler answers, and two texts that say the same have one hash. */

import { Schema } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parseDocument, stringify } from "yaml"
import { bounds } from "../../src/definition/bounds.ts"
import { compile, formatDiagnostics, fromArtifact, makeRules } from "../../src/definition/index.ts"
import { Definition } from "../../src/machines/definition.ts"
import { codes, files, workflowYaml } from "./fixtures.ts"

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The same value with the keys of every map in another order. */
const shuffled = (value: unknown, order: (keys: ReadonlyArray<string>) => ReadonlyArray<string>): unknown => {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, order))
  if (!isMap(value)) return value
  return Object.fromEntries(order(Object.keys(value)).map((key) => [key, shuffled(value[key], order)]))
}

const hashOf = (text: string, given = files): string => {
  const result = compile({ file: "workflow.yaml", text, files: given })
  if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics))
  return result.artifact.hash
}

describe("two texts that say the same", { timeout: 60_000 }, () => {
  it("have one hash, whatever the key order, comments, spacing and style", () => {
    const expected = hashOf(workflowYaml)
    const value: unknown = parseDocument(workflowYaml).toJS()
    return fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom("flow", "block"),
        fc.boolean(),
        (salt, indent, style, comments) => {
          const order = (keys: ReadonlyArray<string>) => keys.toSorted((a, b) => mix(a, salt) - mix(b, salt))
          const text = stringify(shuffled(value, order), {
            indent,
            defaultStringType: comments ? "QUOTE_DOUBLE" : "PLAIN",
            collectionStyle: style === "flow" ? "flow" : "any",
            lineWidth: 0,
          })
          const commented = style === "block" && comments ? text.replaceAll(/^(?=\S)/gm, "# why\n\n") : text
          expect(hashOf(commented)).toBe(expected)
        },
      ),
      { numRuns: 60 },
    )
  })
  it("have another hash as soon as they say another thing", () => {
    const hashes = [
      ["max_steps: 500", "max_steps: 501"],
      ["claim_timeout: 2m", "claim_timeout: 3m"],
      ["mode: serial_only", "mode: single_writer"],
      ["required: [task]", "required: []"],
    ].map(([piece = "", by = ""]) => hashOf(workflowYaml.replace(piece, by)))
    expect(new Set([...hashes, hashOf(workflowYaml)]).size).toBe(5)
    expect(hashOf(workflowYaml.replace("claim_timeout: 2m", "claim_timeout: 120s"))).toBe(hashOf(workflowYaml))
  })
})

const mix = (text: string, salt: number): number =>
  [...text].reduce((hash, char) => Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619), salt)

/** What every answer holds, whatever was compiled. */
const checkAnswer = (text: string, given: Readonly<Record<string, string>> = {}): void => {
  const result = compile({ file: "workflow.yaml", text, files: given })
  const diagnostics = result.ok ? result.warnings : result.diagnostics
  for (const each of diagnostics) {
    expect(each.line).toBeGreaterThanOrEqual(1)
    expect(each.column).toBeGreaterThanOrEqual(1)
    expect(each.excerpt.length).toBeLessThanOrEqual(bounds.excerptChars)
  }
  expect(diagnostics.some((each) => each.severity === "error")).toBe(!result.ok)
  formatDiagnostics(diagnostics)
  if (!result.ok) return
  expect(Schema.is(Definition)(result.artifact.definition)).toBe(true)
  const again = fromArtifact(JSON.parse(JSON.stringify(result.artifact)))
  expect(again.ok && again.artifact).toEqual(result.artifact)
  makeRules(result.artifact)
}

describe("the compiler never throws", { timeout: 60_000 }, () => {
  it("on arbitrary text", () => {
    return fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => checkAnswer(text)),
      { numRuns: 200 },
    )
  })
  it("on text made of YAML's own characters", () => {
    const unit = fc.constantFrom(
      ..."[]{}:,-?&*!|>%@#'\"\\ \n\t",
      "a",
      "&a ",
      "*a",
      "<<: ",
      "---\n",
      "...\n",
      "%YAML 1.1\n",
      "!!binary ",
      "? ",
      ": ",
      "- ",
      ".inf",
      "0x1",
      "roles",
      "name",
    )
    return fc.assert(
      fc.property(fc.array(unit, { maxLength: 60 }), (parts) => checkAnswer(parts.join(""))),
      { numRuns: 200 },
    )
  })
  it("on any JSON value in place of a part of a definition", () => {
    const value: unknown = parseDocument(workflowYaml).toJS()
    const paths = leafPaths(value)
    return fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, by) =>
        checkAnswer(stringify(put(value, path, by)), files),
      ),
      { numRuns: 200 },
    )
  })
  it("on a definition with a piece cut out of it", () => {
    const pieces = Object.entries({ ...files, "workflow.yaml": workflowYaml })
    return fc.assert(
      fc.property(
        fc.constantFrom(...pieces),
        fc.nat(800),
        fc.nat(40),
        fc.string({ maxLength: 3 }),
        ([path, text], from, length, by) => {
          const cut = text.slice(0, from) + by + text.slice(from + length)
          if (path === "workflow.yaml") checkAnswer(cut, files)
          else checkAnswer(workflowYaml, { ...files, [path]: cut })
        },
      ),
      { numRuns: 200 },
    )
  })
  it("or runs away on a hostile megabyte", () => {
    const fill = (piece: string) => piece.repeat(Math.floor(bounds.fileBytes / piece.length))
    const hostile = [
      fill("["),
      fill("{a: "),
      fill("- "),
      fill("? "),
      fill("- a\n"),
      fill("a: 1\n"),
      fill("---\n"),
      fill("&a "),
      fill("%a\n"),
      fill("\\"),
      fill('"\\u'),
      fill("\t"),
      Array.from({ length: 129 }, (_, n) => `${" ".repeat(n)}a:\n`).join(""),
      `a: &a [1,1,1,1,1,1,1,1,1,1]\n${[..."bcdefgh"].map((name, n) => `${name}: &${name} [${Array(10).fill(`*${"abcdefg"[n]}`).join(",")}]\n`).join("")}`,
    ]
    for (const text of hostile) {
      const result = compile({ file: "w", text })
      expect(result.ok).toBe(false)
      expect(codes(result.ok ? [] : result.diagnostics).length).toBeLessThanOrEqual(2 * bounds.diagnostics + 1)
    }
  })
})

const leafPaths = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> => {
  const inner =
    Array.isArray(value) || isMap(value)
      ? Object.entries(value).flatMap(([key, member]) => leafPaths(member, [...path, key]))
      : []
  return [path, ...inner]
}

const put = (value: unknown, [step, ...rest]: ReadonlyArray<string>, by: unknown): unknown => {
  if (step === undefined) return by
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === step ? put(item, rest, by) : item))
  return isMap(value) ? { ...value, [step]: put(value[step], rest, by) } : value
}
