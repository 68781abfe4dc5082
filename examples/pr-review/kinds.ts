/**
 * What a file is for, told from its path: the same line weighs more in source than in a lock file, and a skipped test
 * can only be found in a test.
 */

export type FileKind = "source" | "test" | "config" | "lock" | "docs" | "example" | "asset"

const lockNames = new Set([
  "package-lock.json",
  "npm-shrinkwrap.json",
  "yarn.lock",
  "pnpm-lock.yaml",
  "bun.lock",
  "cargo.lock",
  "poetry.lock",
  "uv.lock",
  "gemfile.lock",
  "composer.lock",
  "go.sum",
])
const docs = /(?:\.(?:md|mdx|rst|txt|adoc)|(?:^|\/)(?:licen[cs]e|notice|changelog|authors|readme)[^/]*)$/
const tests = /(?:^|\/)(?:tests?|__tests__|specs?|e2e)\/|[._-](?:test|spec)\.[a-z]+$/
const examples = /(?:^|\/)(?:examples?|demos?|samples?)\//
const config =
  /(?:\.(?:json|ya?ml|toml|ini|cfg|conf|plist|properties|env|lock)|(?:^|\/)(?:\.[^/]+|dockerfile|makefile)|\.config\.[cm]?[jt]s)$/
const source =
  /\.(?:[cm]?[jt]sx?|py|rb|go|rs|java|kt|swift|cs?|cc|cpp|h|hpp|m|php|sh|bash|zsh|ps1|sql|html?|vue|svelte|css|scss|lua|pl)$/

export const fileKind = (path: string): FileKind => {
  const lower = path.toLowerCase()
  if (lockNames.has(lower.slice(lower.lastIndexOf("/") + 1))) return "lock"
  if (docs.test(lower)) return "docs"
  if (tests.test(lower)) return "test"
  if (examples.test(lower)) return "example"
  if (config.test(lower)) return "config"
  return source.test(lower) ? "source" : "asset"
}
