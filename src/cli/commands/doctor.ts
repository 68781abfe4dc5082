/** `handrail doctor`: looks at a store or a server from outside, and says what is wrong before somebody else does. */
import type { CommandSpec } from "../Command.ts"
import type { Check } from "../doctorChecks.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Input } from "../Input.ts"
import type { Style, Terminal } from "../Terminal.ts"
import { targetOptions } from "../target.ts"

export const doctor: CommandSpec = {
  name: "doctor",
  summary: "check store, migrations, clock, disk, keys and versions",
  about: [
    "A line for each: ok, warn (it works, and somebody should look) or fail. It changes nothing: a store that is not " +
      "there is not created, and one that is not migrated stays so. With --url it looks at a server from here.",
  ],
  arguments: [],
  options: { ...targetOptions, json: { kind: "flag", describe: "print the checks as JSON" } },
  examples: [
    { command: "handrail doctor --store sqlite:./handrail.db", what: "a store" },
    { command: "handrail doctor --url https://handrail.example.com", what: "a server" },
    { command: "handrail doctor --json | jq '.checks[] | select(.level != \"ok\")'", what: "in a script" },
  ],
  exits: [
    [exitCodes.ok, "nothing failed, though there may be warnings"],
    [exitCodes.found, "something failed"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { judgeVersions } = await import("../doctorChecks.ts")
    const { version } = await import("../version.ts")
    const checks = [judgeVersions(version(), process.versions.node), ...(await look(input, terminal))]
    const ok = checks.every(({ level }) => level !== "fail")
    if (input.flag("json")) terminal.print(JSON.stringify({ ok, checks }, null, 2))
    else show(checks, terminal)
    return ok ? exitCodes.ok : exitCodes.found
  },
}

const look = async (input: Input, terminal: Terminal): Promise<ReadonlyArray<Check>> => {
  const { checkServer, checkStore } = await import("../doctorChecks.ts")
  const { serverOf, withClient } = await import("../target.ts")
  const url = serverOf(input, terminal)
  if (url !== undefined)
    return checkServer(url, () => withClient(input, terminal, (client) => client.listWorkflows({ limit: 1 })))
  const { chosenStore } = await import("../store.ts")
  return checkStore(chosenStore(input, terminal, { created: true }))
}

const styles: Readonly<Record<Check["level"], Style>> = { ok: "green", warn: "yellow", fail: "red" }

const show = (checks: ReadonlyArray<Check>, terminal: Terminal): void => {
  const width = Math.max(...checks.map(({ name }) => name.length))
  for (const { level, name, text } of checks)
    terminal.print(`${terminal.paint(styles[level], level.padEnd(4))}  ${name.padEnd(width)}  ${text}`)
}
