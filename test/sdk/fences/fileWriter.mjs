/** A writer as a process of its own: `node fileWriter.mjs FILE TOKEN TIMES` says a line for each write: "landed" or "stale". */
import { replaceFile, StaleFenceError } from "../../../dist/fences.js"

const [, , file, token, times] = process.argv
for (let count = 0; count < Number(times); count += 1) {
  try {
    await replaceFile(file, `${token}\n`.repeat(20_000), { name: "environment", key: "prod", token: Number(token) })
    process.stdout.write("landed\n")
  } catch (error) {
    if (!(error instanceof StaleFenceError)) throw error
    process.stdout.write("stale\n")
  }
}
