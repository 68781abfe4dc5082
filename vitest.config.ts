import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** `handrail` and `handrail/…` mean src here, so that a test and an example it imports share one copy of each class. */
const selfReferences = () => {
  const text = readFileSync(new URL("package.json", import.meta.url), "utf8")
  const { name, exports }: { name: string; exports: Record<string, string | { default: string }> } = JSON.parse(text)
  return Object.entries(exports).flatMap(([key, target]) => {
    if (typeof target === "string") return []
    const source = target.default.replace("./dist/", "./src/").replace(/\.js$/, ".ts")
    const replacement = fileURLToPath(new URL(source, import.meta.url))
    return [{ find: new RegExp(`^${name}${key.slice(1)}$`), replacement }]
  })
}

export default defineConfig({
  resolve: { alias: selfReferences() },
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: tests kill, crash and load native addons.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: "scripts/vitest-setup.mjs",
  },
})
