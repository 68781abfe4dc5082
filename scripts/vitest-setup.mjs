/** Before any test: dist is there and current, because workers and separate processes run the compiled files. */
import { build } from "./build.mjs"

export default () => {
  const { ok, output } = build()
  // Not fatal: dist holds what could be emitted, types are checked on their own, and most tests run from src.
  if (!ok) console.error(`src does not compile, dist may be behind:\n${output}`)
}
