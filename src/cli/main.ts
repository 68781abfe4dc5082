#!/usr/bin/env node
/** The `handrail` command, as npm installs it. */
import { runCli } from "./run.ts"
import { Terminal } from "./Terminal.ts"

// Whoever reads the output may stop before its end (`| head`): that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1)
})
// A store's URL or a key may hold a secret: whoever lists processes must not read it.
process.title = "handrail"
process.exitCode = await runCli(process.argv.slice(2), new Terminal(process))
